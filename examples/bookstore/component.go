package bookstore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the time a component has to serve, stopTimeout the time it has to end when told to.
const (
	startTimeout = 10 * time.Second
	stopTimeout  = 2 * time.Second
)

// component is one of the processes. Orders to it are carried out one at a time.
type component struct {
	name  string
	info  *Info
	truth *truthLog

	orders sync.Mutex // held while an order is carried out
	mu     sync.Mutex // guards process
	// process is the living one; nil when there is none.
	process *process
}

// process is one life of a component.
type process struct {
	cmd      *exec.Cmd
	lifeline io.Closer
	ended    chan struct{}
	first    chan report // the first report: listening, or why not
}

func newComponent(name string, info *Info, truth *truthLog) *component {
	return &component{name: name, info: info, truth: truth}
}

func (c *component) living() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.process
}

// start starts the component and returns when it serves. One that runs already is left alone.
func (c *component) start(ctx context.Context) error {
	c.orders.Lock()
	defer c.orders.Unlock()
	if c.living() != nil {
		return nil
	}
	p, err := c.launch()
	if err != nil {
		if p != nil {
			c.end(p)
		}
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case r := <-p.first:
		if r.Error != "" {
			<-p.ended
			return fmt.Errorf("start %s: %s", c.name, r.Error)
		}
		if err := c.confirm(ctx); err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		if c.name != CDN { // the CDN's truth is its bucket's, which it reports itself
			c.note(p, r.T, "up")
		}
		return nil
	case <-p.ended:
		return fmt.Errorf("start %s: it ended at once, see %s", c.name, layout(c.info.Dir).log(c.name))
	case <-ctx.Done():
		c.end(p)
		return fmt.Errorf("start %s: %w", c.name, ctx.Err())
	}
}

// launch starts the process with its lifeline and its pipe for reports.
func (c *component) launch() (*process, error) {
	at := layout(c.info.Dir)
	log, err := os.OpenFile(at.log(c.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	reports, pipe, err := os.Pipe()
	if err != nil {
		lifeline.Close()
		return nil, err
	}
	defer pipe.Close()
	cmd := exec.Command(at.command(), c.name, "--dir", c.info.Dir)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.info.Dir, stdin, log, log
	cmd.ExtraFiles = []*os.File{pipe} // becomes reportFD
	cmd.Env = append(os.Environ(), supervised+"=1")
	p := &process{cmd: cmd, lifeline: lifeline, ended: make(chan struct{}), first: make(chan report, 1)}
	if err := cmd.Start(); err != nil {
		lifeline.Close()
		reports.Close()
		return nil, err
	}
	c.mu.Lock()
	c.process = p
	// Written before its death can be noticed, so that no stale one is left.
	err = writeWhole(at.pid(c.name), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644)
	c.mu.Unlock()
	go c.wait(p)
	go c.listen(p, reports)
	return p, err
}

// wait stamps the death. It has a thread of its own that sleeps in the kernel until the process is gone, and takes the
// time before it does anything else.
func (c *component) wait(p *process) {
	runtime.LockOSThread()
	_, err := p.cmd.Process.Wait()
	down := time.Now().UnixNano()
	if err != nil {
		fmt.Fprintf(os.Stderr, "wait for %s: %v\n", c.name, err)
	}
	c.mu.Lock()
	c.process = nil
	err = c.truth.note(down, c.name, "down")
	os.Remove(layout(c.info.Dir).pid(c.name))
	c.mu.Unlock()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	p.lifeline.Close()
	close(p.ended)
}

// listen takes the component's reports.
func (c *component) listen(p *process, reports io.ReadCloser) {
	defer reports.Close()
	lines := bufio.NewScanner(reports)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			fmt.Fprintf(os.Stderr, "report of %s: %v\n", c.name, err)
			continue
		}
		switch {
		case r.State == "up" || r.State == "down":
			c.note(p, r.T, r.State)
		default:
			select {
			case p.first <- r:
			default:
			}
		}
	}
}

// note writes the truth, unless the process it is about has ended meanwhile.
func (c *component) note(p *process, at int64, state string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != p {
		return
	}
	if err := c.truth.note(at, c.name, state); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// confirm asks the component something real.
func (c *component) confirm(ctx context.Context) error {
	path := map[string]string{API: "/version/", Database: "/", CDN: "/"}[c.name]
	for {
		_, err := get(ctx, "http://"+c.info.address(c.name)+path)
		if err == nil || c.name == CDN { // any answer of the CDN will do: its bucket may be away
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
		if c.living() == nil {
			return errors.New("it ended at once")
		}
	}
}

// stop ends the component and returns when it is gone.
func (c *component) stop() {
	c.orders.Lock()
	defer c.orders.Unlock()
	if p := c.living(); p != nil {
		c.end(p)
	}
}

func (c *component) end(p *process) {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.ended
	}
}
