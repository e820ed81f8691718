package hold

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/belay-dr/belay/fault"
)

// endBound is how long a holder whose input has ended may take before it is killed, and its reaper or we revert instead.
const endBound = attempts*(revertBound+5*time.Second) + 5*time.Second

// Launcher starts holders on this machine.
type Launcher struct {
	// Exe is the holder's command line; empty means this binary with its hidden command hold-internal.
	Exe []string
	// Kinds are the faults that can be taken back here when a holder and its reaper are both lost.
	Kinds fault.Kinds
	// Dir is where undo records are; empty means DefaultDir.
	Dir string
}

// Held is a fault that is being held. It ends when Release is called, when this process dies, or for any of the
// holder's own reasons.
type Held struct {
	id    string
	keep  keeper
	stdin io.WriteCloser
	done  chan struct{}
	// confirmed is closed when the holder says that it holds.
	confirmed chan struct{}

	// in guards stdin and closed. A write blocks while the holder is frozen, so nothing else may wait for it.
	in     sync.Mutex
	closed bool

	mu     sync.Mutex // what follows
	status fault.Status
	err    error
}

// Hold starts a holder and returns once the fault's effect is confirmed. An error means that nothing is held, and that
// this was checked; only one that wraps fault.ErrNotReverted says otherwise. If ctx ends first, the fault is ended.
// Once Hold has returned, ctx means nothing to the fault.
func (l Launcher) Hold(ctx context.Context, r Request) (*Held, error) {
	if r.ID == "" {
		r.ID = newID()
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("hold fault: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("hold fault: %w", err)
	}
	dir, err := l.dir()
	if err != nil {
		return nil, fmt.Errorf("hold fault: %w", err)
	}
	if _, known, err := Find(dir, r.ID); err != nil || known {
		return nil, errors.Join(err, fmt.Errorf("hold fault: %w: a fault %s was held before: belay fault list", ErrRefused, r.ID))
	}
	h, err := l.start(dir, r, line)
	if err != nil {
		return nil, fmt.Errorf("hold fault: %w", err)
	}
	select {
	case <-h.confirmed:
		return h, nil
	case <-h.done:
	case <-ctx.Done():
		go h.press()
		<-h.done
	}
	return nil, h.failure(ctx.Err())
}

// failure is why the fault is not held.
func (h *Held) failure(cancelled error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.err != nil:
		return h.err
	case cancelled != nil:
		return fmt.Errorf("hold fault: %w", cancelled)
	}
	return fmt.Errorf("hold fault: it ended (%s) before it was confirmed", h.status.Cause)
}

func (l Launcher) dir() (string, error) {
	if l.Dir != "" {
		return filepath.Abs(l.Dir)
	}
	return DefaultDir()
}

func (l Launcher) start(dir string, r Request, line []byte) (*Held, error) {
	argv := l.Exe
	if len(argv) == 0 {
		argv = []string{self(), "hold-internal"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if len(l.Exe) == 0 {
		cmd.Args[0] = filepath.Base(os.Args[0])
	}
	cmd.Env = append(os.Environ(), "BELAY_STATE_DIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &Held{
		id: r.ID, keep: newKeeper(l.Kinds, dir), stdin: stdin, done: make(chan struct{}), confirmed: make(chan struct{}),
		status: fault.Status{ID: r.ID, State: fault.Planned, Limit: r.Limit, Exercise: r.Exercise},
	}
	h.beat(append(line, '\n'))
	go h.beats(r.Beat)
	go h.follow(cmd, stdout, &stderr)
	return h, nil
}

// beat writes one line. A holder that is gone is noticed elsewhere.
func (h *Held) beat(line []byte) {
	h.in.Lock()
	defer h.in.Unlock()
	if !h.closed {
		_, _ = h.stdin.Write(line)
	}
}

// beats writes twice as many lines as the holder asks for.
func (h *Held) beats(every time.Duration) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(max(every/2, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-h.done:
			return
		case <-tick.C:
			h.beat([]byte("beat\n"))
		}
	}
}

// close ends the holder's input, saying that it is meant.
func (h *Held) close() {
	h.in.Lock()
	defer h.in.Unlock()
	if !h.closed {
		h.closed = true
		_, _ = io.WriteString(h.stdin, releaseLine+"\n")
		_ = h.stdin.Close()
	}
}

// press ends the holder's input, and the holder too when that does not help: it may be frozen.
func (h *Held) press() {
	go h.close()
	select {
	case <-h.done:
		return
	case <-time.After(askBound):
	}
	k := h.keep
	if r, err := k.read(h.id); err == nil && r.Phase != settled {
		_, _, _ = k.halt(context.Background(), r, causeReleased)
	}
}

// follow reads the holder's status lines until it ends, and then makes sure of the end.
func (h *Held) follow(cmd *exec.Cmd, stdout io.Reader, stderr *bytes.Buffer) {
	defer close(h.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		h.mu.Lock()
		h.status = e.Status
		h.mu.Unlock()
		if e.Event == "holding" {
			close(h.confirmed)
		}
	}
	err := cmd.Wait()
	_ = h.stdin.Close() // also ends a write that still blocks
	h.in.Lock()
	h.closed = true
	h.in.Unlock()
	h.settle(err, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(stderr.String()), "belay-hold: error:")))
}

// settle finds out how the fault ended. The record is asked, not the holder: it may have been killed.
func (h *Held) settle(exit error, said string) {
	st, err := h.ended()
	h.mu.Lock()
	defer h.mu.Unlock()
	var code *exec.ExitError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Without a record nothing was injected.
		h.status.State, h.status.Error, err = fault.Failed, said, nil
	case err == nil:
		h.status = st
	}
	switch {
	case err != nil:
		h.err = err
	case errors.As(exit, &code) && code.ExitCode() == exitRefused:
		h.err = fmt.Errorf("hold fault: %w: %s", ErrRefused, strings.TrimPrefix(said, ErrRefused.Error()+": "))
	case said != "":
		h.err = fmt.Errorf("hold fault: %s", said)
	case h.status.State == fault.Failed:
		h.err = fmt.Errorf("hold fault: %s", h.status.Error)
	}
}

// ended waits until the fault's record is settled: by the reaper, or by us when there is none.
func (h *Held) ended() (fault.Status, error) {
	k := h.keep
	r, err := k.read(h.id)
	if err != nil {
		return fault.Status{}, err
	}
	if r.Phase == settled {
		return r.Status, nil
	}
	st, ok, err := k.sweep(h.id, causeReaper, func(id string) (lock, error) {
		return k.within(context.Background(), id, endBound)
	})
	if !ok && err == nil {
		err = fmt.Errorf("%w: %s: its reaper does not end", fault.ErrNotReverted, h.id)
	}
	return st, err
}

// Done is closed when the fault has ended, for whatever reason.
func (h *Held) Done() <-chan struct{} { return h.done }

// Status is what is known now.
func (h *Held) Status() fault.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

// Release ends the fault and waits for the end. The error wraps fault.ErrNotReverted when the fault could not be taken
// back. If ctx ends first the fault ends all the same; its status then is the last one known.
func (h *Held) Release(ctx context.Context) (fault.Status, error) {
	go h.press()
	select {
	case <-h.done:
	case <-ctx.Done():
		return h.Status(), fmt.Errorf("release fault: %w", ctx.Err())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status, h.err
}
