// Package worker starts the helper processes of faults: this same program, with its hidden argument "work". A worker must
// never outlive its holder: it ends when its standard input does, it gets SIGKILL when it does not, and on Linux the kernel
// kills it when its holder dies. Start at Start.
package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ready is what a worker says when it is at work.
const ready = "ready"

// grace is how long a worker may take to end after its input has.
const grace = time.Second

// Process is a worker that runs.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr complaint
	// said is the first line that it said, and more are those after it.
	said chan string
	more chan string
	done chan struct{}
}

// Start starts a worker and returns once it says that it is at work. It may only be called in a holder, because the worker is started with
// the arguments of this process and two more. Before the worker begins, prepare gets its process ID, for example to put it into a
// cgroup; it may be nil. After an error there is no worker.
func Start(name string, config any, prepare func(pid int) error, bound time.Duration) (*Process, error) {
	return start(tied(), name, config, prepare, bound)
}

// StartApart is Start for a worker that the kernel does not kill with its holder. It has to see the end of its input itself,
// and may finish then what nobody else can.
func StartApart(name string, config any, prepare func(pid int) error, bound time.Duration) (*Process, error) {
	return start(&syscall.SysProcAttr{Setsid: true}, name, config, prepare, bound)
}

func start(attr *syscall.SysProcAttr, name string, config any, prepare func(pid int) error, bound time.Duration) (*Process, error) {
	line, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", name, err)
	}
	p := &Process{said: make(chan string, 1), more: make(chan string, 16), done: make(chan struct{})}
	exe, err := program()
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", name, err)
	}
	p.cmd = exec.Command(exe, append(os.Args[1:len(os.Args):len(os.Args)], "work", name)...)
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = attr
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = grace
	if err := p.launch(); err != nil {
		return nil, fmt.Errorf("start worker %s: %w", name, err)
	}
	if prepare != nil {
		err = prepare(p.PID())
	}
	if err == nil {
		err = p.begin(append(line, '\n'), bound)
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("start worker %s: %w", name, errors.Join(err, p.stderr.err()))
	}
	return p, nil
}

// launch starts the process on a thread that lives as long as it does: the kernel takes the end of that thread for the end
// of the holder.
func (p *Process) launch() error {
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.follow(out)
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return <-started
}

// follow reads what the worker says until it says no more.
func (p *Process) follow(out io.Reader) {
	defer close(p.more)
	lines := bufio.NewScanner(out)
	first := ""
	if lines.Scan() {
		first = lines.Text()
	}
	p.said <- first
	for lines.Scan() {
		select {
		case p.more <- lines.Text():
		default: // nobody asks
		}
	}
	_, _ = io.Copy(io.Discard, out)
}

// begin hands the worker its config and waits until it is at work.
func (p *Process) begin(line []byte, bound time.Duration) error {
	if _, err := p.stdin.Write(line); err != nil {
		return errors.New("it has ended")
	}
	late := time.NewTimer(bound)
	defer late.Stop()
	select {
	case s := <-p.said:
		if s != ready {
			return errors.New("it did not begin")
		}
		return nil
	case <-late.C:
		return fmt.Errorf("it did not begin within %s", bound)
	}
}

// program is a name for this binary that stays good when the file is replaced or removed, where there is one.
func program() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// PID is the worker's process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the worker has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Lines are what the worker says after it is at work, as far as it fits; closed when it says no more.
func (p *Process) Lines() <-chan string { return p.more }

// Tell gives the worker one more line of input.
func (p *Process) Tell(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}

// Err is what the worker complained about. It is complete when the worker has ended.
func (p *Process) Err() error { return p.stderr.err() }

// Leave ends the worker's input and does not wait for its end.
func (p *Process) Leave() { _ = p.stdin.Close() }

// Stop ends the worker's input and waits for its end; one that does not end is killed. It may be called again.
func (p *Process) Stop() {
	_ = p.stdin.Close()
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// maxComplaint is how much of what a worker complains about is kept.
const maxComplaint = 4 << 10

// complaint keeps the beginning of what is written to it.
type complaint struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *complaint) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(b[:min(len(b), maxComplaint-c.text.Len())])
	return len(b), nil
}

func (c *complaint) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := strings.TrimSpace(c.text.String()); text != "" {
		return errors.New(text)
	}
	return nil
}
