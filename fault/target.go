package fault

import (
	"context"
	"encoding/json"
)

// Plan is exactly what a target would change. Making one changes nothing.
type Plan struct {
	// Target says in one phrase what is hit: "process 4711 (bookstore)".
	Target   string   `json:"target"`
	Class    Class    `json:"class"`
	Fidelity Fidelity `json:"fidelity"`
	// Changes are sentences, one for each thing that Inject would do, in its order.
	Changes []string `json:"changes"`
	// Touches are the absolute paths that Inject would change. The undo record must not lie in or above them.
	Touches []string `json:"touches,omitempty"`
	// Claims name what else only one fault at a time may have, for example "process 4711". Touches are claimed too, with all
	// that is in them.
	Claims []string `json:"claims,omitempty"`
	// Undo is all that Revert needs, also when Inject stopped half way. It is on disk before Inject is called.
	Undo json.RawMessage `json:"undo,omitempty"`
}

// Outcome is what a revert did not put back, and why.
type Outcome struct {
	// Superseded lists what had been changed meanwhile and was left alone.
	Superseded []string
	// Kept lists originals that stay aside because their place is taken.
	Kept []string
}

// Save replaces the undo of a fault. It is on disk when Save returns.
type Save func(undo json.RawMessage) error

// Target breaks one thing and puts it back. Each method gets the undo that was saved last, and may be called by another
// process than the one that injected, after any crash. docs/writing-a-fault.md tells how to write one.
type Target interface {
	// Plan looks, changes nothing, and refuses what must not be touched. The id names what Inject puts aside.
	Plan(ctx context.Context, id string) (Plan, error)
	// Inject does what the plan says. It saves a fingerprint of what it left where Revert needs one.
	Inject(ctx context.Context, undo json.RawMessage, save Save) error
	// Confirm looks at the effect itself, and says by what it was seen.
	Confirm(ctx context.Context, undo json.RawMessage) (string, error)
	// Revert puts back what still is as Inject left it. Calling it again changes nothing more.
	Revert(ctx context.Context, undo json.RawMessage, save Save) (Outcome, error)
	// Residue looks among the things the fault owned and lists what is left of it.
	Residue(ctx context.Context, undo json.RawMessage) ([]string, error)
}

// Discarder is a target that can delete the originals which a revert left aside. It deletes only those that it can still
// tell to be what Inject put aside, returns their paths, and is never called before the fault has ended.
type Discarder interface {
	Discard(ctx context.Context, undo json.RawMessage, kept []string) ([]string, error)
}
