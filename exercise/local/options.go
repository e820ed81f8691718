package local

import (
	"context"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/internal/clock"
)

// Options are what an exercise needs of the world.
type Options struct {
	// Plan is what is carried out; Resume takes it from the journal instead.
	Plan exercise.Plan
	// Permit is the guard's.
	Permit fault.Permit
	// Dir is the workspace, the directory of the playbook. Commands run there.
	Dir    string
	Ledger evidence.Ledger
	Clock  clock.Clock
	// Faults holds the fault. Launcher is the real one.
	Faults Faults
	// Identity looks whether we still are where the plan says; nil never differs. It is asked before the fault and before each
	// command of a step.
	Identity func(ctx context.Context, pinned map[string]string) error
	// Inputs are what people say. A closed channel means that nobody is there any more.
	Inputs <-chan Input
	// Observe is called with each change and at least a few times a second, from one goroutine. It must not block.
	Observe func(exercise.View)
	// Passed is called once for each phase, after the event that began it is on disk and before anything else is done.
	Passed func(exercise.Phase)
	// Stop makes a resumed exercise end as soon as it can.
	Stop string
}

// Faults holds faults.
type Faults interface {
	// Hold returns once the effect is seen, or an error after which nothing is held.
	Hold(ctx context.Context, r hold.Request) (Held, error)
	// Find says what became of a fault of an earlier process, after having ended it if it was still there.
	Find(ctx context.Context, id string) (fault.Status, bool, error)
}

// Held is one held fault.
type Held interface {
	Status() fault.Status
	Done() <-chan struct{}
	Release(ctx context.Context) (fault.Status, error)
}

// InputKind is what a person said.
type InputKind string

// The kinds of input.
const (
	SayDone      InputKind = "done"
	SayRun       InputKind = "run" // let Belay carry the step out
	SayFailed    InputKind = "failed"
	SaySkip      InputKind = "skip"
	SayChoice    InputKind = "choice"
	SayNote      InputKind = "note"
	SayDeviation InputKind = "deviation"
	SayStop      InputKind = "stop"
)

// Input is one thing a person said. Done, run, failed, skip and choice answer the open question.
type Input struct {
	Kind InputKind
	By   string
	Text string
	// Choice is the option.
	Choice   string
	Captures []exercise.Captured
}

// tick is how often the view is renewed and a request to abort is looked for.
const tick = 200 * time.Millisecond
