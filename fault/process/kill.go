package process

import (
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// kill is the fault that ends processes. It is one-shot.
type kill struct{ Victim }

func (k kill) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return k.plan(fault.OneShot, "kill", "SIGKILL")
}

func (k kill) Inject(_ context.Context, undo json.RawMessage, _ fault.Save) error {
	return signalAll(undo, unix.SIGKILL)
}

func (k kill) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	return seen(undo, "gone", func(_ proc.Info, err error) bool { return errors.Is(err, proc.ErrGone) })
}

func (k kill) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (k kill) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
