package process

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// kill is the fault that ends processes. It is one-shot.
type kill struct{ Victim }

func (k kill) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return k.plan(fault.OneShot, "kill", "SIGKILL")
}

// Inject returns when the processes are gone, also when the fault is to end meanwhile: whoever asks then whether it happened
// must not be too early for a kernel that has much to do.
func (k kill) Inject(ctx context.Context, undo json.RawMessage, _ fault.Save) error {
	if err := signalAll(undo, unix.SIGKILL); err != nil {
		return err
	}
	u, err := readUndo(undo)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goneBound)
	defer cancel()
	for _, p := range u.Victims {
		_ = proc.WaitGone(ctx, p) // Confirm says it when one is not
	}
	return nil
}

// goneBound is how long a process may take to be gone. It is shorter than a holder waits for an injection that is called back.
const goneBound = 2 * time.Second

func (k kill) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	return seen(undo, "gone", func(_ proc.Info, err error) bool { return errors.Is(err, proc.ErrGone) })
}

func (k kill) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (k kill) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
