package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/reach/ssh"
)

// line is the connection to a holder on another host, for as long as the fault lives.
type line struct {
	site  site
	cmd   *exec.Cmd
	stdin io.WriteCloser
	// held is closed when the other holder says that it holds, and done when the connection has ended.
	held, done chan struct{}
	holds      sync.Once
	stop       chan struct{}
	stopped    sync.Once

	mu    sync.Mutex // what follows
	last  fault.Status
	ended bool // the other holder said so
	// exit is the exit code of the other holder; none while it runs, and when only the connection ended.
	exit int
	err  error
}

const (
	// none is no exit code.
	none = -1
	// notReverted is the exit code of a holder whose fault is not taken back.
	notReverted = 9
)

// dial starts the holder there, sends the request and begins to beat.
func dial(s site, u undo) (*line, error) {
	l := &line{site: s, held: make(chan struct{}), done: make(chan struct{}), stop: make(chan struct{}), exit: none}
	// The connection is ended by release and by the death of this process, not by a context: the fault lives in it.
	l.cmd = s.host.Command(context.Background(), s.line())
	var err error
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	said := new(bytes.Buffer)
	l.cmd.Stderr = said
	if err := l.cmd.Start(); err != nil {
		return nil, fmt.Errorf("hold fault on %s: %w", s.host, err)
	}
	go l.beat(append(u.Request, '\n'))
	go l.follow(out, said)
	return l, nil
}

// beat writes the request, and then a line twice as often as the holder wants one. A dead network blocks it, which is what ends the fault there.
func (l *line) beat(request []byte) {
	_, err := l.stdin.Write(request)
	tick := time.NewTicker(DefaultBeat / 2)
	defer tick.Stop()
	for err == nil {
		select {
		case <-l.stop:
			_, _ = io.WriteString(l.stdin, "release\n")
			_ = l.stdin.Close()
			return
		case <-l.done:
			return
		case <-tick.C:
			_, err = io.WriteString(l.stdin, "beat\n")
		}
	}
	_ = l.stdin.Close()
}

// follow reads what the other holder says until the connection ends.
func (l *line) follow(out io.Reader, said *bytes.Buffer) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e hold.Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		l.mu.Lock()
		l.last = e.Status
		l.ended = l.ended || e.Event == "ended"
		l.mu.Unlock()
		if e.Event == "holding" {
			l.holds.Do(func() { close(l.held) })
		}
	}
	err := l.cmd.Wait()
	_ = l.stdin.Close()
	complaint := strings.TrimPrefix(strings.TrimSpace(said.String()), "belay-hold: error: ")
	l.mu.Lock()
	if err != nil {
		l.err = l.site.host.Explain(context.Background(), err, complaint)
	}
	if code := l.cmd.ProcessState.ExitCode(); !errors.Is(l.err, ssh.ErrUnreachable) {
		l.exit = code
	}
	l.mu.Unlock()
	close(l.done)
}

// holding waits until the fault is held there.
func (l *line) holding(ctx context.Context) error {
	select {
	case <-l.held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.err, fmt.Errorf("hold fault on %s: it ended before it was confirmed", l.site.host))
}

func (l *line) status() fault.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// release ends the fault and returns what the other holder said at its end, if it said that nothing of it is left.
func (l *line) release(ctx context.Context) (fault.Status, bool) {
	l.stopped.Do(func() { close(l.stop) })
	wait, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	select {
	case <-l.done:
	case <-wait.Done():
		// The network is silent, or the holder hangs. The connection is of no more use; the lease ends the fault there.
		_ = l.cmd.Process.Kill()
		<-l.done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.ended && l.exit != none && l.exit != notReverted
}

// refused says that the other holder itself has ended without a fault: it cannot come up any more.
func (l *line) refused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exit != none && l.exit != notReverted && !l.ended
}
