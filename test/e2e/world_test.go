package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is one workspace with a state directory of its own.
type world struct {
	t   *testing.T
	dir string
	env []string
	// state holds the undo records of held faults.
	state string
	// inside is what belay is run by: `ip netns exec NAME`, for example. It must become belay, not start it.
	inside []string
}

// argv is the command line of belay with these arguments.
func (w *world) argv(args ...string) []string {
	return append(append(slices.Clone(w.inside), binary), args...)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	// Short, because a Unix socket's path may not be longer than 104 letters on macOS.
	base, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	w := &world{t: t, dir: filepath.Join(base, "shop"), state: filepath.Join(base, "state")}
	w.env = append(os.Environ(), "BELAY_STATE_DIR="+w.state, "HOME="+base, "NO_COLOR=1", "AWS_EC2_METADATA_DISABLED=true")
	return w
}

// newShop is a world with the Bookstore running in it.
func newShop(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	t.Cleanup(func() { w.try(time.Minute, "demo", "down", "--dir", w.dir) })
	w.ok("demo", "up", "--dir", w.dir)
	return w
}

// output is what a command left behind.
type output struct {
	args   []string
	stdout string
	stderr string
	code   int
}

func (o output) String() string {
	return "$ belay " + strings.Join(o.args, " ") + "\n" + o.stdout + o.stderr
}

// try runs belay to its end.
func (w *world) try(limit time.Duration, args ...string) output {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	argv := w.argv(args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = w.env
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("run belay %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return output{args, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// ok runs belay and wants exit code 0.
func (w *world) ok(args ...string) output { return w.want(0, args...) }

// want runs belay and wants this exit code.
func (w *world) want(code int, args ...string) output {
	w.t.Helper()
	o := w.try(3*time.Minute, args...)
	if o.code != code {
		w.t.Fatalf("%s\nexit code %d, want %d", o, o.code, code)
	}
	return o
}

// decode reads the one JSON object on standard output, and nothing else may be there.
func decode[T any](w *world, o output) T {
	w.t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(o.stdout))
	if err := dec.Decode(&v); err != nil {
		w.t.Fatalf("%s\nread json: %v", o, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		w.t.Fatalf("%s\nmore than one JSON object on standard output", o)
	}
	return v
}

// process is a belay that is still running.
type process struct {
	w    *world
	args []string
	cmd  *exec.Cmd
	in   io.WriteCloser

	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	done   chan struct{}
}

// start starts belay with a pipe as its standard input. It is killed when the test ends.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	argv := w.argv(args...)
	p := &process{w: w, args: args, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = w.env
	p.cmd.Stdout, p.cmd.Stderr = locked{p, &p.stdout}, locked{p, &p.stderr}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	w.t.Cleanup(func() {
		p.kill()
		<-p.done
	})
	return p
}

type locked struct {
	p *process
	b *bytes.Buffer
}

func (l locked) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	return l.b.Write(b)
}

// say writes a line to standard input.
func (p *process) say(line string) {
	p.w.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.w.t.Fatalf("say %q: %v\n%s", line, err, p.output())
	}
}

func (p *process) kill() { p.cmd.Process.Kill() }

func (p *process) output() output {
	p.mu.Lock()
	defer p.mu.Unlock()
	return output{p.args, p.stdout.String(), p.stderr.String(), -1}
}

// wait waits for the end and wants this exit code.
func (p *process) wait(limit time.Duration, code int) output {
	p.w.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.w.t.Fatalf("still running after %v\n%s", limit, p.output())
	}
	o := p.output()
	o.code = p.cmd.ProcessState.ExitCode()
	if o.code != code {
		p.w.t.Fatalf("%s\nexit code %d, want %d", o, o.code, code)
	}
	return o
}

// until waits for a condition, looking often, and says how long it took; it fails the test after limit.
func (w *world) until(limit time.Duration, what string, holds func() bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	for !holds() {
		if time.Since(start) > limit {
			w.t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(start)
}

// interrupt is what Ctrl-C sends.
func interrupt(t *testing.T, p *process) {
	t.Helper()
	must(t, p.cmd.Process.Signal(os.Interrupt))
}
