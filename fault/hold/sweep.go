package hold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/internal/clock"
)

// askBound is how long a holder that was asked to end may take before it is killed and its fault is ended here.
const askBound = 3 * time.Second

func newKeeper(kinds fault.Kinds, dir string) keeper {
	return keeper{store: store{dir}, kinds: kinds, clk: clock.System{}, at: func(string) {}}
}

// List returns all faults that are held and those that ended lately, oldest first. A record that cannot be read is an
// error beside the others.
func List(dir string) ([]fault.Status, error) {
	dir, there, err := readDir(dir)
	if err != nil || !there {
		return nil, err
	}
	all, err := store{dir}.all()
	var out []fault.Status
	for _, r := range all {
		r.Status.Kept = r.stillKept()
		out = append(out, r.Status)
	}
	return out, err
}

// Find returns one fault by ID.
func Find(dir, id string) (s fault.Status, found bool, err error) {
	dir, there, err := readDir(dir)
	if err != nil || !there {
		return s, false, err
	}
	r, err := store{dir}.read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	return r.Status, true, nil
}

// Settled says that a fault is over and that nothing of it is left to take back: also one that failed to come about.
func Settled(dir, id string) bool {
	dir, there, err := readDir(dir)
	if err != nil || !there {
		return false
	}
	r, err := store{dir}.read(id)
	return err == nil && r.Phase == settled
}

// Sweep reverts every fault whose holder and reaper are both gone, and returns what became of each. The error wraps
// fault.ErrNotReverted when one could not be taken back. Run it before anything that touches faults.
func Sweep(ctx context.Context, kinds fault.Kinds, dir string) ([]fault.Status, error) {
	return each(kinds, dir, func(k keeper, r *Record) (fault.Status, bool, error) {
		if ctx.Err() != nil {
			return r.Status, false, ctx.Err()
		}
		return k.sweep(r.Status.ID, causeSweep, func(id string) (lock, error) {
			l, err := k.try(id)
			if !errors.Is(err, errBusy) || !over(r.Holder) {
				return l, err
			}
			// The holder has died: either the kernel is still closing its files, or its reaper is at work.
			return k.within(ctx, id, askBound)
		})
	})
}

// Halt ends every held fault on this host now: it asks each holder, waits, and ends the fault itself when the holder does
// not. It returns what became of each. The error wraps fault.ErrNotReverted when one could not be taken back.
func Halt(ctx context.Context, kinds fault.Kinds, dir string) ([]fault.Status, error) {
	type outcome struct {
		st  fault.Status
		ok  bool
		err error
	}
	// All are asked at once: one that hangs must not keep the others alive.
	var pending []chan outcome
	_, err := each(kinds, dir, func(k keeper, r *Record) (fault.Status, bool, error) {
		c := make(chan outcome, 1)
		pending = append(pending, c)
		go func() {
			st, ok, err := k.halt(ctx, r, causeHalt)
			c <- outcome{st, ok, err}
		}()
		return fault.Status{}, false, nil
	})
	errs := []error{err}
	var out []fault.Status
	for _, c := range pending {
		o := <-c
		if o.ok {
			out = append(out, o.st)
		}
		errs = append(errs, o.err)
	}
	return out, errors.Join(errs...)
}

// Revert ends one fault now, as Halt does. A fault that has ended already is returned as it is.
func Revert(ctx context.Context, kinds fault.Kinds, dir, id string) (fault.Status, error) {
	dir, there, err := readDir(dir)
	if err != nil {
		return fault.Status{}, err
	}
	k := newKeeper(kinds, dir)
	if !there {
		return fault.Status{}, fmt.Errorf("find fault %s: %w", id, fs.ErrNotExist)
	}
	r, err := k.read(id)
	if err != nil {
		return fault.Status{}, err
	}
	if r.Phase == settled {
		return r.Status, nil
	}
	st, _, err := k.halt(ctx, r, causeRevert)
	return st, err
}

// each calls f for every fault that is not settled and collects what became of them.
func each(kinds fault.Kinds, dir string, f func(keeper, *Record) (fault.Status, bool, error)) ([]fault.Status, error) {
	dir, there, err := readDir(dir)
	if err != nil || !there {
		return nil, err
	}
	k := newKeeper(kinds, dir)
	all, err := k.all()
	errs := []error{err}
	var out []fault.Status
	for _, r := range all {
		if r.Phase == settled {
			continue
		}
		st, ok, err := f(k, r)
		if ok {
			out = append(out, st)
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

// sweep ends one fault if its lock can be had, and says whether it did.
func (k keeper) sweep(id, cause string, get func(string) (lock, error)) (fault.Status, bool, error) {
	l, err := get(id)
	if errors.Is(err, errBusy) {
		return fault.Status{}, false, nil
	}
	if err != nil {
		return fault.Status{}, false, err
	}
	defer l.free()
	r, err := k.read(id)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Status{}, false, nil
	}
	if err != nil {
		return fault.Status{}, false, err
	}
	if r.Phase != settled && !over(r.Holder) {
		// The lock was free although its owner lives: it is about to end, or the lock's file was removed and made anew.
		return fault.Status{}, false, nil
	}
	if _, err := k.target(r); err != nil {
		// It is for the program that knows it, which may be another version of this one. Touching its record would only make that look like a failure.
		return r.Status, true, fmt.Errorf("%w: %s (%s): %w: use %s", fault.ErrNotReverted, id, r.Status.Target, err, r.Writer)
	}
	k.end(r, cause)
	if r.Phase != settled {
		return r.Status, true, unsettled(r.Status)
	}
	return r.Status, true, nil
}

// halt asks the holder to end, and ends the fault itself when the holder is gone or does not.
func (k keeper) halt(ctx context.Context, r *Record, cause string) (fault.Status, bool, error) {
	id := r.Status.ID
	// The note says who asks. Without it the holder ends all the same and calls the cause a signal.
	_ = os.WriteFile(k.path(id, ".halt"), []byte(cause), 0o600)
	defer os.Remove(k.path(id, ".halt"))
	asked := proc.Signal(r.Holder, unix.SIGTERM)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	// A holder that cannot be asked, or is frozen, will not answer.
	deaf := asked != nil && !errors.Is(asked, proc.ErrGone)
	for began := time.Now(); !deaf && time.Since(began) < askBound && ctx.Err() == nil; deaf = frozen(r.Holder) {
		st, ok, err := k.sweep(id, cause, k.try)
		if ok || err != nil {
			return st, ok, err
		}
		<-tick.C
	}
	// A holder that is reverting gets the time that all its attempts may take; one that is frozen does nothing.
	if now, err := k.read(id); err != nil || now.Phase != reverting || frozen(r.Holder) {
		_ = proc.Signal(r.Holder, unix.SIGKILL)
		// The kernel frees its lock a moment before it is gone, and a sweep leaves alone what has a living holder.
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		_ = proc.WaitGone(gone, r.Holder)
		cancel()
	}
	st, ok, err := k.sweep(id, cause, func(id string) (lock, error) {
		return k.within(context.WithoutCancel(ctx), id, attempts*(revertBound+5*time.Second))
	})
	if !ok && err == nil {
		err = fmt.Errorf("%w: %s (%s): its holder or reaper neither ends nor lets go", fault.ErrNotReverted, id, r.Status.Target)
	}
	return st, ok, err
}

// over says that a process has ended.
func over(p proc.Process) bool {
	_, err := proc.Find(p)
	return errors.Is(err, proc.ErrGone)
}

// frozen says that a process is stopped.
func frozen(p proc.Process) bool {
	i, err := proc.Find(p)
	return err == nil && (i.State == proc.Stopped || i.State == proc.Traced)
}
