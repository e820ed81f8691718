package resource

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/worker"
)

// diskTrial is the config of the worker that reads and writes past all caches.
type diskTrial struct {
	Dir    string `json:"dir"`
	Block  int64  `json:"block"`
	Blocks int64  `json:"blocks"`
}

// diskResult is how long that took.
type diskResult struct {
	Bytes, Blocks int64
	Write, Read   time.Duration
}

// diskWork is the whole worker. Its file has no name.
func diskWork(stdin io.Reader, stdout io.Writer) error {
	var t diskTrial
	rest, err := worker.Read(stdin, &t)
	if err != nil {
		return err
	}
	fd, err := unix.Open(t.Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "make a nameless file", Path: t.Dir, Err: err}
	}
	defer unix.Close(fd)
	if err := worker.Ready(stdout); err != nil || !worker.Told(rest) {
		return err
	}
	// The memory must begin at a page: the disk reads it directly.
	b, err := unix.Mmap(-1, 0, int(t.Block), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	got := diskResult{Bytes: t.Block * t.Blocks, Blocks: t.Blocks}
	if got.Write, err = each(t, func(at int64) (int, error) { return unix.Pwrite(fd, b, at) }); err != nil {
		return fmt.Errorf("write in %s: %w", t.Dir, err)
	}
	if got.Read, err = each(t, func(at int64) (int, error) { return unix.Pread(fd, b, at) }); err != nil {
		return fmt.Errorf("read in %s: %w", t.Dir, err)
	}
	return json.NewEncoder(stdout).Encode(got)
}

// each does the same to every block and takes the time.
func each(t diskTrial, do func(at int64) (int, error)) (time.Duration, error) {
	began := time.Now()
	for n := range t.Blocks {
		switch done, err := do(n * t.Block); {
		case err != nil:
			return 0, err
		case int64(done) != t.Block:
			return 0, io.ErrShortWrite
		}
	}
	return time.Since(began), nil
}
