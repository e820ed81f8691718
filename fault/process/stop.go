package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// stop is the fault that stops processes with SIGSTOP.
type stop struct{ Victim }

func (s stop) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return s.plan(fault.Restore, "stop", "SIGSTOP")
}

func (s stop) Inject(_ context.Context, undo json.RawMessage, _ fault.Save) error {
	return signalAll(undo, unix.SIGSTOP)
}

func (s stop) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	return seen(undo, "stopped", func(i proc.Info, err error) bool { return err == nil && i.State == proc.Stopped })
}

// Revert lets each process go on that is the one that was stopped. One that ended meanwhile, or whose ID is another's
// now, was dealt with by somebody else.
func (s stop) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readUndo(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	out := gone(u)
	var errs []error
	for _, p := range u.Victims {
		if err := proc.Signal(p, unix.SIGCONT); !errors.Is(err, proc.ErrGone) {
			errs = append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}

// gone are the processes that were dealt with by somebody else.
func gone(u processUndo) (out fault.Outcome) {
	for _, p := range u.Victims {
		if _, err := proc.Find(p); errors.Is(err, proc.ErrGone) {
			out.Superseded = append(out.Superseded, fmt.Sprintf("process %d has ended or was replaced since it was stopped", p.PID))
		}
	}
	return out
}

// Residue waits a moment, because a process goes on a little after its signal.
func (s stop) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readUndo(undo)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, p := range u.Victims {
		stopped := func() bool {
			i, err := proc.Find(p)
			return err == nil && i.State == proc.Stopped
		}
		if lasts(ctx, stopped) {
			left = append(left, fmt.Sprintf("process %d is still stopped", p.PID))
		}
	}
	return left, nil
}

// lasts says that something does not end within a second.
func lasts(ctx context.Context, still func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for still() {
		select {
		case <-ctx.Done():
			return true
		case <-time.After(2 * time.Millisecond):
		}
	}
	return false
}
