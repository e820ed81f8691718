// Package temporal drives an exercise inside a Temporal workflow: events come as signals, commands go out as activities, and
// the machine between them is the same exercise.Step. Its scripts are run here in the SDK's in-memory test environment, so that
// the machine stays fit for it.
//
// It must never look at a clock, start a goroutine of its own, or let samples into the history. It is not part of the
// binary yet. Start at Workflow.
package temporal

import (
	"time"

	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/belay-dr/belay/exercise"
)

const (
	// EventSignal carries an exercise.Event: what people say, and what the observer saw, stamped by whom it comes from.
	EventSignal = "event"
	// ViewQuery answers with the exercise.View.
	ViewQuery = "view"
	// CarryOut is the activity that carries out an exercise.Command and returns the *exercise.Event that answers it, or nil
	// when the answer comes as a signal.
	CarryOut = "carry-out"
)

// Workflow carries out an exercise and returns its last state. The machine's state is a function of the signals and the
// activities' answers alone, so that a replay of the history gives it again.
func Workflow(ctx workflow.Context, plan exercise.Plan) (exercise.State, error) {
	w := &run{ctx: ctx, state: exercise.New(plan), selector: workflow.NewSelector(ctx)}
	if err := workflow.SetQueryHandler(ctx, ViewQuery, func() (exercise.View, error) {
		return exercise.Show(w.state, w.state.Now), nil
	}); err != nil {
		return w.state, err
	}
	w.selector.AddReceive(workflow.GetSignalChannel(ctx, EventSignal), func(c workflow.ReceiveChannel, _ bool) {
		var e exercise.Event
		c.Receive(ctx, &e)
		w.take(e)
	})
	w.selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { w.cancelled = true })
	for !w.cancelled && (!w.state.Closed() || w.pending > 0) {
		w.selector.Select(ctx)
	}
	return w.state, nil
}

// run is one workflow.
type run struct {
	ctx       workflow.Context
	state     exercise.State
	selector  workflow.Selector
	pending   int
	cancelled bool
}

// take gives an event to the machine and sends out what it asks for. The history already holds the event.
func (w *run) take(e exercise.Event) {
	next, commands := exercise.Step(w.state, e)
	w.state = next
	for _, c := range commands {
		w.carryOut(c)
	}
}

// carryOut runs a command as an activity. It is tried once: a command that may be repeated is repeated by the machine,
// which knows the step's repeat.
func (w *run) carryOut(c exercise.Command) {
	ctx := workflow.WithActivityOptions(w.ctx, workflow.ActivityOptions{
		ActivityID:          c.ID,
		StartToCloseTimeout: bound(c),
		RetryPolicy:         &sdk.RetryPolicy{MaximumAttempts: 1},
	})
	w.pending++
	w.selector.AddFuture(workflow.ExecuteActivity(ctx, CarryOut, c), func(f workflow.Future) {
		w.pending--
		var answer *exercise.Event
		if err := f.Get(ctx, &answer); err != nil {
			// Nobody knows whether it was carried out.
			answer = &exercise.Event{Kind: exercise.CommandUnknown, At: w.state.Now, Command: c.ID, Text: err.Error()}
		}
		if answer != nil {
			w.take(*answer)
		}
	})
}

// bound is how long an activity may take.
func bound(c exercise.Command) time.Duration {
	const margin = time.Minute
	if c.Step != nil {
		return c.Step.Timeout + margin
	}
	return max(c.Wait, time.Hour) + margin
}
