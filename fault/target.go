package fault

import (
	"context"
	"encoding/json"
	"io"
	"time"
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
	// Mechanism is how it is done on this system: "nft owner table". It may be empty when there is only one way.
	Mechanism string `json:"mechanism,omitempty"`
	// KernelEnds says that the kernel itself takes it back when the holder dies.
	KernelEnds bool `json:"kernel_ends,omitempty"`
	// Needs are the privileges that the injection needs: "CAP_NET_ADMIN".
	Needs []string `json:"needs,omitempty"`
	// Radius is the blast radius: phrases that say what feels it besides the target, with numbers where there are any:
	// "2 of 5 pods of deployment shop/api", "every process in network namespace blue".
	Radius []string `json:"radius,omitempty"`
	// Elsewhere says that the fault lives in somebody else's API and does not end with its holder. EndsThere says that it
	// has a deadline there, so that it ends also when nobody is left to end it.
	Elsewhere bool `json:"elsewhere,omitempty"`
	EndsThere bool `json:"ends_there,omitempty"`
	// Production says by what the target is known to be production's: a label, a tag, a mark. Without a permit for production
	// it is then refused. Empty means that nothing says so.
	Production string `json:"production,omitempty"`
	// Undo is all that Revert needs, also when Inject stopped half way. It is on disk before Inject is called.
	Undo json.RawMessage `json:"undo,omitempty"`
}

// Ask is for what a plan is made.
type Ask struct {
	// ID of the fault; it names whatever the injection puts aside or leaves at the target.
	ID string
	// Limit is how long the fault may live at most; 0 when it is not known yet. Whoever gives the fault a deadline of its
	// own at the target gives it this one.
	Limit time.Duration
	// Exercise is the exercise that the fault belongs to, if any.
	Exercise string
	// Permit, NoPlaybook and Production are those of the request, for who passes the fault on to another holder.
	Permit     *Permit
	NoPlaybook string
	Production bool
}

// Worker is the whole work of a helper process that a fault needs beside its holder, for example to use up memory. It
// reads its config as one line of JSON, says "ready" in a line when it is at work, and returns soon after its input ends: its holder
// keeps that open. fault/worker starts one.
type Worker func(stdin io.Reader, stdout io.Writer) error

// Workers are the workers that a program knows, by name.
type Workers map[string]Worker

// Outcome is what a revert did not put back, and why.
type Outcome struct {
	// Superseded lists what had been changed meanwhile and was left alone.
	Superseded []string
	// Kept lists originals that stay aside because their place is taken.
	Kept []string
	// Lost says that the fault had ended before, where it lives, for another reason than this revert.
	Lost bool
}

// Save replaces the undo of a fault. It is on disk when Save returns.
type Save func(undo json.RawMessage) error

// Target breaks one thing and puts it back. Each method gets the undo that was saved last, and may be called by another
// process than the one that injected, after any crash. A holder keeps the very value that it injected with, so that a
// target may keep open what the kernel takes back when it is closed; nobody else has that. Methods of one value are not
// called at the same time. docs/writing-a-fault.md tells how to write one.
type Target interface {
	// Plan looks, changes nothing, and refuses what must not be touched.
	Plan(ctx context.Context, ask Ask) (Plan, error)
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

// Watched is a target that notices by itself when its fault is gone although nobody ended it: a helper process that died, a
// connection that was cut, an experiment that completed. A holder then ends the fault, with the cause "lost".
type Watched interface {
	// Lost is asked for once, after Confirm, and is closed when the fault is gone. Nil never is.
	Lost() <-chan struct{}
}
