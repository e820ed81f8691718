package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
)

// beat is how often the holder hears that this process is alive.
const beat = time.Second

// Launcher is the real Faults: each fault is held by a process of its own.
type Launcher struct{ hold.Launcher }

// Hold starts a holder.
func (l Launcher) Hold(ctx context.Context, r hold.Request) (Held, error) {
	h, err := l.Launcher.Hold(ctx, r)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Find ends what an earlier process left behind and says what became of it.
func (l Launcher) Find(ctx context.Context, id string) (fault.Status, bool, error) {
	dir := l.Dir
	if dir == "" {
		var err error
		if dir, err = hold.DefaultDir(); err != nil {
			return fault.Status{}, false, err
		}
	}
	if _, found, err := hold.Find(dir, id); err != nil || !found {
		return fault.Status{}, found, err
	}
	st, err := hold.Revert(ctx, l.Kinds, dir, id)
	return st, true, err
}

// faultID names the fault of an exercise, so that it is found again after a crash.
func faultID(p exercise.Plan) string { return "x-" + p.ID }

// inject holds the fault and answers once its effect is seen.
func (d *driver) inject(ctx context.Context, c exercise.Command) exercise.Event {
	p := d.opening.Plan
	held, err := d.Faults.Hold(ctx, hold.Request{
		ID: faultID(p), Exercise: p.ID, Permit: &d.opening.Permit, Production: p.Production, Fault: *p.Fault, Limit: c.Wait, Beat: beat,
	})
	if err != nil {
		e := exercise.Event{Kind: exercise.CommandFailed, Text: err.Error()}
		if errors.Is(err, fault.ErrNotReverted) {
			e.Fault = &fault.Status{ID: faultID(p), State: fault.Failed, Exercise: p.ID, Error: err.Error()}
		}
		return e
	}
	d.mu.Lock()
	d.held = held
	d.mu.Unlock()
	st := held.Status()
	if st.Class != fault.OneShot {
		d.workers.Go(func() { d.watchFault(held) })
	}
	return exercise.Event{Kind: exercise.CommandDone, Fault: &st}
}

// watchFault reports a fault that ends before it is released.
func (d *driver) watchFault(held Held) {
	select {
	case <-held.Done():
		st := held.Status()
		d.post(exercise.Event{Kind: exercise.FaultEnded, Fault: &st})
	case <-d.work.Done():
	}
}

// heldNow returns the fault if it is held and takes it away, so that it is released once.
func (d *driver) heldNow() Held {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.held
	d.held = nil
	return held
}

// release ends the fault, whatever else is being cancelled.
func (d *driver) release(s exercise.State) exercise.Event {
	ctx, cancel := context.WithTimeout(d.base, releaseBound)
	defer cancel()
	var st fault.Status
	var err error
	if held := d.heldNow(); held != nil {
		st, err = held.Release(ctx)
	} else {
		var found bool
		st, found, err = d.Faults.Find(ctx, faultID(s.Plan))
		if err == nil && !found {
			err = errors.New("there is no record of it any more")
		}
	}
	e := exercise.Event{Kind: exercise.CommandDone, Fault: &st}
	if err != nil {
		e.Kind, e.Text = exercise.CommandFailed, err.Error()
	} else if st.State == fault.Failed {
		e.Kind, e.Text = exercise.CommandFailed, fmt.Sprintf("%s: %s", st.Target, st.Error)
	}
	return e
}
