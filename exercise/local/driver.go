package local

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/act"
	"github.com/belay-dr/belay/fault"
)

// releaseBound is how long ending a fault may take before it counts as not reverted.
const releaseBound = 60 * time.Second

// driver is one exercise being carried out. Only the goroutine in drive touches its state.
type driver struct {
	Options
	opening Opening
	origin  time.Duration
	folder  string
	lock    *lock
	state   exercise.State
	queue   *queue
	// base outlives the caller's context; work ends when nothing more is to be done.
	base, work    context.Context
	end, stopWork context.CancelFunc
	workers       sync.WaitGroup
	cancels       map[string]context.CancelFunc
	actor         *act.Actor
	observer      *observer
	waiting       []Input
	// lost is what became of a fault of an earlier process that was not confirmed yet.
	lost *fault.Status

	mu   sync.Mutex
	held Held
}

// now is the time since the exercise's origin.
func (d *driver) now() time.Duration { return d.Clock.Boot() - d.origin }

// post puts an event into the queue.
func (d *driver) post(e exercise.Event) {
	if e.At == 0 {
		e.At = d.now()
	}
	d.queue.put(e)
}

// handleAll takes the events that are in the queue.
func (d *driver) handleAll() error {
	for _, e := range d.queue.take() {
		if err := d.handle(e); err != nil {
			return err
		}
	}
	return nil
}

// handle takes one event: the next state is worked out, the event is written down, and only then is anything done.
func (d *driver) handle(e exercise.Event) error {
	if e.At == 0 {
		e.At = d.now()
	}
	next, commands, changed := exercise.Apply(d.state, e)
	if !changed {
		return nil
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if _, err := d.Ledger.Append(d.base, evidence.Draft{
		Kind: evidence.KindEvent, Subject: d.state.Plan.ID, Grade: evidence.Observed, Environment: d.state.Plan.Environment,
		Actor: e.By, Payload: payload,
	}); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	before := len(d.state.Marks)
	d.state = next
	for _, m := range next.Marks[before:] {
		if m.Phase != exercise.Closed {
			d.Passed(m.Phase)
		}
	}
	for _, c := range commands {
		if err := d.act(c); err != nil {
			return err
		}
	}
	return nil
}

// act does what a command asks for. Started is on disk before anything that changes the world.
func (d *driver) act(c exercise.Command) error {
	switch c.Kind {
	case exercise.DoCancel:
		if cancel := d.cancels[c.Target]; cancel != nil {
			cancel()
		}
		return nil
	case exercise.DoClose:
		return nil
	case exercise.DoTimeBox, exercise.DoGrace:
		d.later(c, c.Wait)
		return nil
	case exercise.DoDeclare:
		if d.state.Plan.Mode == exercise.Automatic {
			d.post(exercise.Event{Kind: exercise.CommandDone, Command: c.ID, By: "belay"})
		}
		return d.answerWaiting()
	case exercise.DoAsk, exercise.DoSettle:
		return d.answerWaiting()
	}
	if err := d.handle(exercise.Event{Kind: exercise.CommandStarted, Command: c.ID}); err != nil {
		return err
	}
	d.do(c)
	return nil
}

// do carries a command out beside the queue; its answer comes back as an event.
func (d *driver) do(c exercise.Command) {
	ctx, cancel := context.WithCancel(d.work)
	d.cancels[c.ID] = cancel
	state := d.state
	d.workers.Go(func() {
		defer cancel()
		var e exercise.Event
		if err := d.elsewhere(ctx, c, state.Plan); err != nil {
			d.post(exercise.Event{Kind: exercise.CommandFailed, Command: c.ID, Text: err.Error()})
			return
		}
		switch c.Kind {
		case exercise.DoObserve:
			e = d.observe(ctx, state)
		case exercise.DoInject:
			e = d.inject(ctx, c)
		case exercise.DoRead:
			e = d.read(ctx)
		case exercise.DoRelease:
			e = d.release(state)
		case exercise.DoMeasure:
			e = d.measure(c, state)
		default:
			e = d.actor.Do(ctx, c)
		}
		e.Command = c.ID
		d.post(e)
	})
}

// elsewhere says that what is to be broken or changed is not where the plan says. Looking on, ending a fault and measuring are
// never kept from happening.
func (d *driver) elsewhere(ctx context.Context, c exercise.Command, p exercise.Plan) error {
	if d.Identity == nil || len(p.Identity) == 0 || c.Kind != exercise.DoInject && c.Kind != exercise.DoRun {
		return nil
	}
	return d.Identity(ctx, p.Identity)
}

// later answers a command when its time is over.
func (d *driver) later(c exercise.Command, wait time.Duration) {
	ctx, cancel := context.WithCancel(d.work)
	d.cancels[c.ID] = cancel
	d.workers.Go(func() {
		defer cancel()
		t := time.NewTimer(max(0, wait))
		defer t.Stop()
		select {
		case <-t.C:
			d.post(exercise.Event{Kind: exercise.CommandDone, Command: c.ID})
		case <-ctx.Done():
		}
	})
}
