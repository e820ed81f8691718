package bookstore

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The components, in the order in which they are started.
const (
	Database = "database"
	CDN      = "cdn"
	API      = "api"
)

// Info is where a Bookstore is to be found. It is written to DIR/bookstore.json once, so that ports never change.
type Info struct {
	// Dir is absolute.
	Dir string `json:"dir"`
	// APIURL and CDNURL are base URLs without a trailing slash; DatabaseAddress is host:port.
	APIURL          string `json:"api"`
	DatabaseAddress string `json:"database"`
	CDNURL          string `json:"cdn"`
	// Control is where the supervisor takes its orders.
	Control string `json:"control"`
	// Environment is what the API's beacon says.
	Environment string `json:"environment"`
	// SnapshotEvery is the time between two snapshots of the database, SnapshotCopy how long one takes to be complete.
	SnapshotEvery time.Duration `json:"snapshot_every_ns"`
	SnapshotCopy  time.Duration `json:"snapshot_copy_ns"`
	// Delay is how long the API and the database load before they listen, and an object takes to be uploaded.
	Delay time.Duration `json:"delay_ns"`

	// started says that this call of Up started the supervisor.
	started bool
	// tether is the write end of the supervisor's standard input, when it was started with Options.Tethered. It must stay
	// reachable: the Bookstore ends when it is closed.
	tether *os.File
}

// layout names every file of a Bookstore.
type layout string

func (l layout) path(elem ...string) string {
	return filepath.Join(append([]string{string(l)}, elem...)...)
}
func (l layout) info() string                { return l.path("bookstore.json") }
func (l layout) data() string                { return l.path("data") }
func (l layout) dataFile() string            { return l.path("data", "bookstore.db") }
func (l layout) snapshots() string           { return l.path("snapshots") }
func (l layout) bucket() string              { return l.path("bucket") }
func (l layout) backup() string              { return l.path("backup") }
func (l layout) truth() string               { return l.path("truth.jsonl") }
func (l layout) lock() string                { return l.path("run", "supervisor.lock") }
func (l layout) token() string               { return l.path("run", "control.token") }
func (l layout) pid(component string) string { return l.path("run", component+".pid") }
func (l layout) log(component string) string { return l.path("log", component+".log") }
func (l layout) command() string             { return l.path("bin", "bookstore") }
func (l layout) binary() string              { return l.path("lib", "bookstore") }

// image is the program as it was installed: what a lost server is made from.
func (l layout) image() string { return l.path("image", "bookstore") }

// Started says that the call of Up which returned i started the Bookstore, rather than found it running.
func (i *Info) Started() bool { return i.started }

// address is the host and port of a component.
func (i *Info) address(component string) string {
	switch component {
	case Database:
		return i.DatabaseAddress
	case CDN:
		return strings.TrimPrefix(i.CDNURL, "http://")
	default:
		return strings.TrimPrefix(i.APIURL, "http://")
	}
}

// dial opens a connection, or says at once that nobody listens.
func dial(address string) (net.Conn, error) { return net.DialTimeout("tcp", address, time.Second) }

// newInfo chooses free ports for a new Bookstore in dir.
func newInfo(dir string) (*Info, error) {
	ports, err := freePorts(4)
	if err != nil {
		return nil, fmt.Errorf("choose ports: %w", err)
	}
	return &Info{
		Dir:             dir,
		APIURL:          "http://" + ports[0],
		DatabaseAddress: ports[1],
		CDNURL:          "http://" + ports[2],
		Control:         ports[3],
		Environment:     "bookstore-api-staging",
		SnapshotEvery:   time.Second,
		SnapshotCopy:    900 * time.Millisecond,
		Delay:           1500 * time.Millisecond,
	}, nil
}

// freePorts returns n loopback addresses nobody listens on. They are all held until the last one is found, so that no
// two are the same.
func freePorts(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addresses[i] = l.Addr().String()
	}
	return addresses, nil
}

// ReadInfo reads where the Bookstore in dir is to be found. The error is fs.ErrNotExist when there is none.
func ReadInfo(dir string) (*Info, error) {
	b, err := os.ReadFile(layout(dir).info())
	if err != nil {
		return nil, fmt.Errorf("read bookstore: %w", err)
	}
	var info Info
	if err := json.Unmarshal(b, &info); err != nil {
		return nil, fmt.Errorf("read bookstore %s: %w", layout(dir).info(), err)
	}
	return &info, nil
}

func (i *Info) save() error {
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(layout(i.Dir).info(), append(b, '\n'), 0o644)
}

// writeWhole replaces the file at once: a reader sees the old content or the new, never a part.
func writeWhole(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if e := f.Chmod(mode); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
