package hold

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/internal/clock"
)

// revertBound is how long one attempt to revert may take, whoever makes it.
const revertBound = 20 * time.Second

// attempts is how often a revert that failed is tried again before the fault is called failed.
const attempts = 3

// The causes of an end.
const (
	causeReleased = "released"
	causeInput    = "end-of-file"
	causeSignal   = "signal"
	causeBeat     = "beat"
	causeLimit    = "limit"
	causeReaper   = "reaper"
	causeSweep    = "sweep"
	causeHalt     = "halt"
	causeRevert   = "revert"
	causeError    = "error"
	causeLost     = "lost" // the target noticed by itself that its fault is gone
)

// keeper is what the holder, the reaper and a sweep have in common: with the lock of a fault in hand, it ends the fault.
type keeper struct {
	store
	kinds fault.Kinds
	// inHand is the target that a holder injected with. It may keep open what nobody else can close.
	inHand fault.Target
	clk    clock.Clock
	// at is told how far the work has come. Tests stop there; it is empty otherwise.
	at func(point string)
}

// target is the target of a record: the very one that injected, where we have it.
func (k keeper) target(r *Record) (fault.Target, error) {
	if k.inHand != nil {
		return k.inHand, nil
	}
	return k.kinds.Decode(r.Fault)
}

// save writes the record with a new phase.
func (k keeper) save(r *Record, p phase) error {
	r.Phase, r.Changed = p, k.clk.Now()
	return k.write(r)
}

// end reverts the fault, looks for residue and writes the outcome. The caller holds the fault's lock. It is not
// cancelled by anything but its own bound, and calling it for a fault that has ended changes nothing.
func (k keeper) end(r *Record, cause string) {
	if r.Phase == settled {
		return
	}
	touched := r.Phase != recorded && r.Phase != armed
	st := &r.Status
	if cause == causeReaper && r.Holder.Boot == proc.BootID() && k.clk.Boot() >= time.Duration(r.Deadline) {
		cause = causeLimit // it hung, and was killed for it
	}
	if st.Cause == "" || cause == causeReaper || cause == causeSweep {
		st.Cause = cause
	}
	st.Residue = nil
	reverted := fault.Outcome{}
	var err error
	if touched {
		k.at("reverting")
		// A record that cannot be written must not keep the fault alive: the revert goes on, and can be repeated.
		_ = k.save(r, reverting)
		reverted, err = k.revert(r)
		touched = err != nil || k.happened(r)
	}
	k.at("reverted")
	k.conclude(r, reverted, err, touched)
	k.at("settled")
}

// happened says whether a fault that was cut short did anything. Only a one-shot fault has to be asked: it leaves nothing
// else to tell by.
func (k keeper) happened(r *Record) bool {
	if r.Status.Class != fault.OneShot || r.Status.Confirmed != "" {
		return true
	}
	target, err := k.target(r)
	if err != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), confirmBound)
	defer cancel()
	seen, err := bounded(ctx, func() (string, error) { return target.Confirm(ctx, r.Undo) })
	r.Status.Confirmed = seen
	return err == nil
}

// revert tries, within its bound, until the target is back and nothing is left behind.
func (k keeper) revert(r *Record) (out fault.Outcome, err error) {
	target, err := k.target(r)
	if err != nil {
		return out, err
	}
	for n := range attempts {
		ctx, cancel := context.WithTimeout(context.Background(), revertBound)
		out, err = bounded(ctx, func() (fault.Outcome, error) {
			return target.Revert(ctx, r.Undo, k.undoSaver(r, reverting))
		})
		if err == nil {
			r.Status.Residue, err = residue(ctx, target, r, out)
		}
		cancel()
		if err == nil || errors.Is(err, errStuck) {
			return out, err
		}
		if n < attempts-1 {
			time.Sleep(50 * time.Millisecond << n)
		}
	}
	return out, err
}

// errStuck says that a revert did not even answer its context. It may still be at work, so only a new process may try again.
var errStuck = errors.New("it does not answer")

// bounded returns what f returns, or errStuck soon after ctx ended.
func bounded[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := f()
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.v, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-done:
		return a.v, a.err
	case <-time.After(3 * time.Second):
		var zero T
		return zero, errStuck
	}
}

// residue is what is left, apart from originals that are kept on purpose. Anything is an error.
func residue(ctx context.Context, t fault.Target, r *Record, out fault.Outcome) ([]string, error) {
	left, err := bounded(ctx, func() ([]string, error) { return t.Residue(ctx, r.Undo) })
	if err != nil {
		return nil, fmt.Errorf("look for residue: %w", err)
	}
	left = slices.DeleteFunc(left, func(s string) bool { return slices.Contains(out.Kept, s) })
	if len(left) > 0 {
		return left, fmt.Errorf("left behind: %v", left)
	}
	return nil, nil
}

// undoSaver is the fault.Save of a target that works on this record.
func (k keeper) undoSaver(r *Record, p phase) fault.Save {
	return func(undo json.RawMessage) error {
		r.Undo = slices.Clone(undo)
		// What is saved on the way back is kept in memory at least: a disk that is full, or a directory that is gone, must not
		// keep the fault alive.
		if err := k.save(r, p); err != nil && p != reverting {
			return err
		}
		k.at("saved")
		return nil
	}
}

// conclude writes the final status. Only a fault of which nothing is held any more is settled; the others are tried
// again by the reaper, by every sweep and by halt.
func (k keeper) conclude(r *Record, out fault.Outcome, err error, touched bool) {
	st := &r.Status
	st.Superseded, st.Kept, st.Error = out.Superseded, out.Kept, r.Broken
	if out.Lost && st.Cause == causeReleased {
		st.Cause = causeLost
	}
	p := settled
	switch {
	case err != nil:
		st.State, p = fault.Failed, reverting
		st.Error = fmt.Errorf("revert: %w", err).Error()
	case r.Broken != "":
		st.State = fault.Failed
	case len(out.Superseded) > 0:
		st.State = fault.Superseded
	case touched && st.Class == fault.OneShot:
		st.State = fault.Ended
	default:
		st.State = fault.Reverted
	}
	if werr := k.save(r, p); werr != nil {
		// The disk still says that the fault is held. That is for the next sweep, which will find nothing to do.
		st.Error = errors.Join(err, werr).Error()
	}
	if r.Phase == settled {
		k.prune()
	}
}

// unsettled is the error for a fault that could not be taken back.
func unsettled(st fault.Status) error {
	return fmt.Errorf("%w: %s (%s): %s", fault.ErrNotReverted, st.ID, st.Target, st.Error)
}
