package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/act"
	"github.com/belay-dr/belay/fault"
)

// Run carries out an exercise from its first event to its closing record, and returns its result. Cancelling ctx stops the
// exercise safely: the fault is ended and what was seen is measured. An error says that the exercise could not be carried
// out or written down; no fault is held then either, unless the error is fault.ErrNotReverted.
func Run(ctx context.Context, opts Options) (exercise.Result, error) {
	d, err := newDriver(ctx, opts)
	if err != nil {
		return exercise.Result{}, fmt.Errorf("run exercise: %w", err)
	}
	defer d.lock.release()
	opening := Opening{Plan: opts.Plan, Permit: opts.Permit, Wall: opts.Clock.Now(), Boot: opts.Clock.Boot()}
	d.opening, d.origin = opening, opening.Boot
	if err := d.open(opening); err != nil {
		return exercise.Result{}, fmt.Errorf("run exercise: %w", err)
	}
	return d.drive(ctx)
}

// Opening is the payload of the record that an exercise begins with.
type Opening struct {
	Plan   exercise.Plan `json:"plan"`
	Permit fault.Permit  `json:"permit"`
	Wall   time.Time     `json:"wall"`
	// Boot is the boot clock at the exercise's origin. A string: after 104 days of uptime it is above 2^53, which the ledger's
	// canonical JSON has no number for.
	Boot time.Duration `json:"boot_ns,string"`
}

// newDriver takes the lock of the environment and prepares the exercise's folder.
func newDriver(ctx context.Context, opts Options) (*driver, error) {
	if opts.Observe == nil {
		opts.Observe = func(exercise.View) {}
	}
	if opts.Passed == nil {
		opts.Passed = func(exercise.Phase) {}
	}
	p := opts.Plan
	folder := Folder(opts.Dir, p.ID)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	lock, err := takeLock(opts.Dir, p.Environment, p.ID)
	if err != nil {
		return nil, err
	}
	d := &driver{
		Options: opts, folder: folder, lock: lock, state: exercise.New(p), queue: newQueue(),
		cancels: map[string]context.CancelFunc{}, base: context.WithoutCancel(ctx),
		actor: &act.Actor{Dir: opts.Dir, Env: os.LookupEnv, ReadFile: os.ReadFile},
	}
	d.actor.Started = d.stepStarted
	d.base, d.end = context.WithCancel(d.base)
	d.work, d.stopWork = context.WithCancel(d.base)
	return d, nil
}

// open writes the opening record.
func (d *driver) open(o Opening) error {
	payload, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = d.Ledger.Append(d.base, evidence.Draft{
		Kind: evidence.KindStarted, Subject: o.Plan.ID, Grade: evidence.Observed, Environment: o.Plan.Environment,
		Digests: map[string]string{"plan": d.state.PlanDigest, "closure": o.Plan.Closure, "substance": o.Plan.Substance},
		Actor:   o.Plan.Runner, Payload: payload,
	})
	return err
}

// drive takes events until the exercise is closed. Whatever happens, no fault is held when it returns.
func (d *driver) drive(ctx context.Context) (result exercise.Result, err error) {
	defer func() {
		// What could not be taken back is said once.
		if left := d.cleanUp(); !errors.Is(err, fault.ErrNotReverted) || !errors.Is(left, fault.ErrNotReverted) {
			err = errors.Join(err, left)
		}
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	stopped := ctx.Done()
	if d.state.Phase == "" {
		// Before anything else is listened to: a STOP that came first would be about an exercise that has not begun.
		if err := d.handle(exercise.Event{Kind: exercise.Started, By: d.Plan.Runner}); err != nil {
			return exercise.Result{}, fmt.Errorf("run exercise %s: %w", d.state.Plan.ID, err)
		}
	}
	for !d.state.Closed() {
		select {
		case <-d.queue.ready:
			err = d.handleAll()
		case in, ok := <-d.inputs():
			err = d.said(in, ok)
		case <-stopped:
			stopped = nil
			err = d.handle(exercise.Event{Kind: exercise.Stopped, By: d.Plan.Runner, Text: "interrupted"})
		case <-ticker.C:
			err = d.lookForAbort()
		}
		if err != nil {
			// The exercise is not closed: whoever reads this needs its name to resume it.
			return exercise.Result{}, fmt.Errorf("run exercise %s: %w", d.state.Plan.ID, err)
		}
		d.Observe(exercise.Show(d.state, d.now()))
	}
	return d.close()
}

// close writes the closing record and returns the result.
func (d *driver) close() (exercise.Result, error) {
	r := exercise.Build(d.state, d.opening.Wall, d.Clock.Now())
	payload, err := json.Marshal(r)
	if err != nil {
		return r, fmt.Errorf("close exercise: %w", err)
	}
	_, err = d.Ledger.Append(d.base, evidence.Draft{
		Kind: evidence.KindExercise, Subject: r.ID, Grade: evidence.Grade(r.Grade), Environment: r.Environment, Digests: r.Digests,
		Actor: r.Runner, Payload: payload,
	})
	if err != nil {
		return r, fmt.Errorf("close exercise: %w", err)
	}
	d.Passed(exercise.Closed)
	if d.state.Fault.Error != "" {
		return r, fmt.Errorf("%w: %s", fault.ErrNotReverted, strings.TrimPrefix(d.state.Fault.Error, "the fault was not reverted: "))
	}
	return r, nil
}

// cleanUp ends all that the driver began. It is called on every way out.
func (d *driver) cleanUp() error {
	d.stopWork()
	err := d.letGo()
	d.workers.Wait()
	// A fault that was being injected while the work was stopped.
	err = errors.Join(err, d.letGo())
	if d.observer != nil {
		d.observer.stop()
	}
	d.end()
	return err
}

// letGo releases the fault if it is still held.
func (d *driver) letGo() error {
	held := d.heldNow()
	if held == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(d.base, releaseBound)
	defer cancel()
	_, err := held.Release(ctx)
	return err
}
