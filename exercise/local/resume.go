package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
)

// ErrClosed says that an exercise has already ended.
var ErrClosed = errors.New("the exercise is closed already")

// ErrNotFound says that there is no such exercise.
var ErrNotFound = errors.New("there is no such exercise")

// Resume goes on with an exercise whose process died, from its journal. What is lost is found out and said: a fault that was
// taken back meanwhile makes the exercise invalid if the service had not recovered; a step that was begun and never answered
// is settled by its repeat.
func Resume(ctx context.Context, opts Options, id string) (exercise.Result, error) {
	o, _, err := Read(ctx, opts.Ledger, id)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("resume exercise %s: %w", id, err)
	}
	opts.Plan = o.Plan
	d, err := newDriver(ctx, opts)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("resume exercise %s: %w", id, err)
	}
	defer d.lock.release()
	// Read again with the lock in hand: whoever had it may have gone on, or closed the exercise, since.
	o, events, err := Read(ctx, opts.Ledger, id)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("resume exercise %s: %w", id, err)
	}
	d.opening = o
	for _, e := range events {
		d.state, _ = exercise.Step(d.state, e)
	}
	if err := d.state.Fits(); err != nil {
		return exercise.Result{}, fmt.Errorf("resume exercise %s: %w", id, err)
	}
	d.origin = d.originNow()
	if d.state.Phase != "" && !d.state.Closed() {
		if err := d.pickUp(); err != nil {
			return exercise.Result{}, errors.Join(fmt.Errorf("resume exercise %s: %w", id, err), d.cleanUp())
		}
	}
	return d.drive(ctx)
}

// Read returns the opening and the events of an exercise, and ErrClosed beside them when it has ended.
func Read(ctx context.Context, l evidence.Ledger, id string) (Opening, []exercise.Event, error) {
	records, err := l.List(ctx, evidence.Filter{Subject: id})
	if err != nil {
		return Opening{}, nil, err
	}
	var o Opening
	var events []exercise.Event
	found, closed := false, false
	for _, r := range records {
		switch r.Kind {
		case evidence.KindStarted:
			found = true
			err = json.Unmarshal(r.Payload, &o)
		case evidence.KindEvent:
			var e exercise.Event
			err = json.Unmarshal(r.Payload, &e)
			events = append(events, e)
		case evidence.KindExercise:
			closed = true
		}
		if err != nil {
			return o, nil, fmt.Errorf("read record %s: %w", r.ID, err)
		}
	}
	switch {
	case !found:
		return o, nil, ErrNotFound
	case closed:
		return o, events, ErrClosed
	}
	return o, events, nil
}

// originNow is the exercise's origin on the boot clock of now. After a restart of the machine only the wall clock helps.
func (d *driver) originNow() time.Duration {
	since := d.Clock.Now().Sub(d.opening.Wall)
	boot := d.Clock.Boot()
	drift := (boot - d.opening.Boot) - since
	if boot-d.opening.Boot >= d.state.Now && drift < time.Minute && drift > -time.Minute {
		return d.opening.Boot
	}
	return boot - max(since, d.state.Now)
}

// pickUp brings the replayed state up to the present: the fault, the observer, and each command that was not answered.
func (d *driver) pickUp() error {
	if err := d.handle(exercise.Event{Kind: exercise.Resumed, By: d.state.Plan.Runner}); err != nil {
		return err
	}
	open := slices.Clone(d.state.Open)
	watching := slices.ContainsFunc(d.state.Marks, func(m exercise.Mark) bool { return m.Phase == exercise.Baseline })
	if watching {
		if err := d.watch(); err != nil {
			return err
		}
	}
	if d.state.Fault.Asked && !d.state.Fault.Ended {
		if err := d.pickUpFault(); err != nil {
			return err
		}
	}
	if d.Stop != "" {
		if err := d.handle(exercise.Event{Kind: exercise.Stopped, By: d.state.Plan.Runner, Text: d.Stop}); err != nil {
			return err
		}
	}
	for _, o := range open {
		if !slices.ContainsFunc(d.state.Open, func(still exercise.Open) bool { return still.Command.ID == o.Command.ID }) || d.cancels[o.Command.ID] != nil {
			continue
		}
		if err := d.pickUpCommand(o); err != nil {
			return err
		}
	}
	return nil
}

// pickUpFault finds out what became of the fault and says so.
func (d *driver) pickUpFault() error {
	ctx, cancel := context.WithTimeout(d.base, releaseBound)
	defer cancel()
	st, found, err := d.Faults.Find(ctx, faultID(d.state.Plan))
	if err != nil {
		st.ID, st.State, st.Error = faultID(d.state.Plan), fault.Failed, err.Error()
	}
	if !d.state.Fault.Confirmed {
		// Its command is still open and answers for it.
		if found || err != nil {
			d.lost = &st
		}
		return nil
	}
	switch {
	case err != nil:
	case !found:
		st = *d.state.Fault.Status
		st.Cause = "there is no record of it any more"
	}
	if st.Class == fault.OneShot && err == nil {
		return nil
	}
	return d.handle(exercise.Event{Kind: exercise.FaultEnded, Fault: &st})
}

// pickUpCommand goes on with a command that was given out and not answered.
func (d *driver) pickUpCommand(o exercise.Open) error {
	c := o.Command
	switch c.Kind {
	case exercise.DoTimeBox, exercise.DoGrace:
		d.later(c, o.At+c.Wait-d.now())
		return nil
	case exercise.DoDeclare, exercise.DoAsk, exercise.DoSettle:
		return d.act(c)
	case exercise.DoRelease, exercise.DoMeasure:
		if o.Begun {
			d.do(c)
			return nil
		}
		return d.act(c)
	}
	if !o.Begun {
		return d.act(c)
	}
	if c.Kind == exercise.DoRun {
		if p, ok := d.orphan(c.ID); ok {
			d.outlive(c, p, o.At+c.Step.Timeout-d.now())
			return nil
		}
	}
	e := exercise.Event{Kind: exercise.CommandUnknown, Command: c.ID}
	if c.Kind == exercise.DoInject {
		e.Fault = d.lost
	}
	return d.handle(e)
}

// abortFile is where a request to stop lies, for the process that carries the exercise out.
const abortFile = "abort.json"

type abortRequest struct {
	By  string `json:"by"`
	Why string `json:"why"`
}

// lookForAbort takes a request to stop that another process left.
func (d *driver) lookForAbort() error {
	path := filepath.Join(d.folder, abortFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil // there is none, or it can not be read: the exercise goes on
	}
	var r abortRequest
	if err := json.Unmarshal(b, &r); err != nil {
		return nil // it is still being written
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("take abort request: %w", err)
	}
	return d.handle(exercise.Event{Kind: exercise.Stopped, By: r.By, Text: r.Why})
}

// Abort stops an exercise: a running one is asked to, and a dead one is closed from here. It returns when the exercise is
// closed, with its result.
func Abort(ctx context.Context, opts Options, id, by, why string) (exercise.Result, error) {
	o, _, err := Read(ctx, opts.Ledger, id)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("abort exercise %s: %w", id, err)
	}
	running, err := Running(opts.Dir, o.Plan.Environment)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("abort exercise %s: %w", id, err)
	}
	if running != id {
		opts.Stop = why
		return Resume(ctx, opts, id)
	}
	b, err := json.Marshal(abortRequest{by, why})
	if err != nil {
		return exercise.Result{}, err
	}
	path := filepath.Join(Folder(opts.Dir, id), abortFile)
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return exercise.Result{}, fmt.Errorf("abort exercise %s: %w", id, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return exercise.Result{}, fmt.Errorf("abort exercise %s: %w", id, err)
	}
	return awaitClosed(ctx, opts.Ledger, id)
}

// awaitClosed waits for the closing record.
func awaitClosed(ctx context.Context, l evidence.Ledger, id string) (exercise.Result, error) {
	for {
		records, err := l.List(ctx, evidence.Filter{Subject: id, Kinds: []string{evidence.KindExercise}})
		if err != nil {
			return exercise.Result{}, fmt.Errorf("abort exercise %s: %w", id, err)
		}
		if len(records) > 0 {
			var r exercise.Result
			err := json.Unmarshal(records[0].Payload, &r)
			return r, err
		}
		select {
		case <-ctx.Done():
			return exercise.Result{}, fmt.Errorf("abort exercise %s: it was asked to stop and is not closed yet: %w", id, ctx.Err())
		case <-time.After(tick):
		}
	}
}
