// Package worker starts the helper processes of faults: this same program, with its hidden argument "work". A worker must
// never outlive its holder: it ends when its standard input does, and gets SIGKILL when it does not. Start at Start.
package worker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// ready is what a worker says when it is at work.
const ready = "ready"

// Process is a worker that runs.
type Process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{}
}

// Start starts a worker and returns once it says that it is at work. It may only be called in a holder, because the worker is started with
// the arguments of this process and two more. Before the worker begins, prepare gets its process ID, for example to put it into a
// cgroup; it may be nil.
func Start(name string, config any, prepare func(pid int) error, bound time.Duration) (*Process, error) {
	line, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("start worker %s: %w", name, err)
	}
	p := &Process{done: make(chan struct{})}
	p.cmd = exec.Command("/proc/self/exe", append(os.Args[1:], "work", name)...)
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Dir = "/"
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var stderr strings.Builder
	p.cmd.Stderr = &stderr
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start worker %s: %w", name, err)
	}
	said := make(chan string, 1)
	go func() {
		defer close(p.done)
		r := bufio.NewReader(out)
		first, _ := r.ReadString('\n')
		said <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, r)
		_ = p.cmd.Wait()
	}()
	if prepare != nil {
		err = prepare(p.PID())
	}
	if err == nil {
		_, err = p.stdin.Write(append(line, '\n'))
	}
	if err == nil {
		select {
		case s := <-said:
			if s != ready {
				err = errors.New("it did not begin")
			}
		case <-time.After(bound):
			err = fmt.Errorf("it did not begin within %s", bound)
		}
	}
	if err != nil {
		p.Stop()
		return nil, errors.Join(fmt.Errorf("start worker %s: %w", name, err), complaint(stderr.String()))
	}
	return p, nil
}

func complaint(text string) error {
	if text = strings.TrimSpace(text); text != "" {
		return errors.New(text)
	}
	return nil
}

// PID is the worker's process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the worker has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop ends the worker's input and waits for its end; one that does not end is killed. It may be called again.
func (p *Process) Stop() {
	_ = p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
