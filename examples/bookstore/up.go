package bookstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Options say how to start a Bookstore.
type Options struct {
	// Dir holds everything; it is made when missing.
	Dir string
	// Exe is the beginning of a command line that runs Main: the program and its first arguments, for example
	// /usr/local/bin/belay, bookstore. A copy (a hard link where possible) is put into DIR/bin, so that the Bookstore goes
	// on when the program is rebuilt or was a temporary one.
	Exe []string
	// SnapshotEvery and SnapshotCopy are taken when Dir is new. Zero means 1 s and 900 ms: then a
	// baseline of 3.2 s always holds the beginning of a complete snapshot, and what is lost can be bounded.
	SnapshotEvery, SnapshotCopy time.Duration
	// Delay is how long the API and the database load before they listen, and an object takes to be uploaded: as in real
	// life, so that an outage is long enough to be measured. It is taken when Dir is new. Zero means 1.5 s.
	Delay time.Duration
	// DatabaseURL is a PostgreSQL URL to be used instead of the database component. The environment's DATABASE_URL
	// counts only for an API started by hand: a demo must not find somebody's real database.
	DatabaseURL string
	// Tethered ends the Bookstore when the caller ends, however that happens, or lets go of the Info.
	Tethered bool
}

// upTimeout bounds how long Up waits for everything to be healthy.
const upTimeout = 20 * time.Second

// Up starts the Bookstore in o.Dir and returns once all of it is healthy. What is running already is left alone, so that
// Up may be called again. The processes go on when the caller ends, unless they are tethered; Down ends them. After an
// error nothing that Up started is left.
func Up(ctx context.Context, o Options) (_ *Info, err error) {
	info, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	at := layout(info.Dir)
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	defer func() {
		if err != nil && info.started {
			err = errors.Join(err, downAfter(ctx, info.Dir))
		}
	}()
	if !isSupervised(at) {
		if err := installBinary(at, o.Exe); err != nil {
			return nil, err
		}
		if err := startSupervisor(ctx, info, o); err != nil {
			return nil, err
		}
	}
	for _, component := range []string{Database, CDN, API} {
		if err := control(ctx, info, "start", component); err != nil {
			return nil, err
		}
	}
	if err := waitHealthy(ctx, info); err != nil {
		return nil, err
	}
	return info, nil
}

// prepare makes the directory complete: ports, data file, bucket and backup, playbook.
func prepare(ctx context.Context, o Options) (*Info, error) {
	if len(o.Exe) == 0 {
		return nil, errors.New("start bookstore: no program given")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start bookstore: %w", err)
	}
	at := layout(dir)
	for _, sub := range []string{"run", "log", "bin", "lib", "image", "snapshots", "backup"} {
		if err := os.MkdirAll(at.path(sub), 0o755); err != nil {
			return nil, fmt.Errorf("start bookstore: %w", err)
		}
	}
	info, err := ReadInfo(dir)
	if err == nil {
		return info, writePlaybook(info)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if info, err = newInfo(dir); err != nil {
		return nil, err
	}
	if o.SnapshotEvery > 0 {
		info.SnapshotEvery = o.SnapshotEvery
	}
	if o.SnapshotCopy > 0 {
		info.SnapshotCopy = o.SnapshotCopy
	}
	if o.Delay > 0 {
		info.Delay = o.Delay
	}
	if err := firstContent(ctx, at); err != nil {
		return nil, err
	}
	if err := writePlaybook(info); err != nil {
		return nil, err
	}
	// The file that makes the directory a Bookstore comes last: what was cut short before is done again.
	return info, info.save()
}

// firstContent makes what a new Bookstore begins with.
func firstContent(ctx context.Context, at layout) error {
	if _, err := os.Stat(at.dataFile()); os.IsNotExist(err) {
		if err := createDataFile(ctx, at.dataFile(), true); err != nil {
			return err
		}
	}
	if err := collectStatic(at.backup()); err != nil {
		return fmt.Errorf("collect static files: %w", err)
	}
	if _, err := createBucket(at); err != nil {
		return err
	}
	_, err := upload(at, 0)
	return err
}

// installBinary puts the program into image and bin, with a command that knows its directory.
func installBinary(at layout, exe []string) error {
	program, err := exec.LookPath(exe[0])
	if err != nil {
		return fmt.Errorf("install bookstore: %w", err)
	}
	for _, to := range []string{at.image(), at.binary()} {
		if err := linkOrCopy(program, to); err != nil {
			return fmt.Errorf("install bookstore: %w", err)
		}
	}
	line := quote(at.binary())
	for _, arg := range exe[1:] {
		line += " " + quote(arg)
	}
	script := "#!/bin/sh\nBOOKSTORE_DIR=" + quote(string(at)) + "\nexport BOOKSTORE_DIR\nexec " + line + " \"$@\"\n"
	if err := writeWhole(at.command(), []byte(script), 0o755); err != nil {
		return fmt.Errorf("install bookstore: %w", err)
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// linkOrCopy makes `to` the same file as from, by a hard link where the file system allows it.
func linkOrCopy(from, to string) error {
	a, err := os.Stat(from)
	if err != nil {
		return err
	}
	if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
		return nil
	}
	draft := to + ".new"
	os.Remove(draft)
	if err := os.Link(from, draft); err == nil {
		return os.Rename(draft, to)
	}
	return copyFile(from, to)
}

// startSupervisor starts it in a session of its own and returns once it takes orders. After an error it is gone.
func startSupervisor(ctx context.Context, info *Info, o Options) error {
	at := layout(info.Dir)
	log, err := os.OpenFile(at.log("supervisor"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(at.command(), "supervise", "--dir", string(at))
	if o.Tethered {
		end, tether, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("start supervisor: %w", err)
		}
		defer end.Close()
		cmd.Stdin, info.tether = end, tether
		cmd.Args = append(cmd.Args, "--tethered")
	}
	cmd.Dir = string(at)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(without(os.Environ(), "DATABASE_URL", supervised, "ENVIRONMENT", "VERSION"), "DATABASE_URL="+o.DatabaseURL)
	os.Remove(at.token())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	info.started = true
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if isSupervised(at) { // another one was quicker
				ended, info.started = nil, false
				continue
			}
			return fmt.Errorf("start supervisor: it ended at once (%v): %s", err, lastLine(at.log("supervisor")))
		case <-ctx.Done():
			if ended != nil { // not yet under orders: it may not even hold the lock that Down looks at
				cmd.Process.Signal(syscall.SIGTERM)
				<-ended
			}
			return fmt.Errorf("start supervisor: %w", ctx.Err())
		case <-tick.C:
			if _, err := os.Stat(at.token()); err == nil {
				return nil
			}
		}
	}
}

// without returns the environment less the named variables.
func without(env []string, names ...string) []string {
	var kept []string
next:
	for _, e := range env {
		for _, name := range names {
			if strings.HasPrefix(e, name+"=") {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}

func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// Down ends the Bookstore in dir and returns when no process of it is left. What is not running is no error.
func Down(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("stop bookstore: %w", err)
	}
	info, err := ReadInfo(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	at := layout(dir)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	asked := false
	for isSupervised(at) {
		if !asked {
			asked = control(ctx, info, "shutdown", "") == nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stop bookstore: %w", ctx.Err())
		case <-tick.C:
		}
	}
	// Left by a supervisor that was killed: its components ended with it.
	for _, component := range []string{Database, CDN, API} {
		if err := os.Remove(at.pid(component)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("stop bookstore: %w", err)
		}
	}
	return waitGone(ctx, info)
}

// downAfter undoes an Up that did not succeed, also one that was cancelled.
func downAfter(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), upTimeout)
	defer cancel()
	return Down(ctx, dir)
}

func runUp(ctx context.Context, c call) error {
	flags := newFlags("up", c.stderr)
	url := flags.String("database-url", "", "a PostgreSQL `URL` to use instead of the database component")
	if err := flags.Parse(c.args); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	exe, err := ownCommand(c.given)
	if err != nil {
		return err
	}
	info, err := Up(ctx, Options{Dir: c.dir, Exe: exe, DatabaseURL: *url})
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.stdout, info.String())
	return err
}

// ownCommand is the command line of this process less the arguments that Main was given: "belay bookstore", for example.
func ownCommand(given []string) ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find program: %w", err)
	}
	own := []string{exe}
	if n := len(os.Args) - len(given); n > 1 && slices.Equal(os.Args[n:], given) {
		own = append(own, os.Args[1:n]...)
	}
	return own, nil
}

func runDown(ctx context.Context, c call) error { return Down(ctx, c.dir) }

// String shows where everything is.
func (i *Info) String() string {
	return fmt.Sprintf("API       %s/books/\nCDN       %s/%s\ndatabase  %s\n", i.APIURL, i.CDNURL, beacon, i.DatabaseAddress)
}
