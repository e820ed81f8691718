// Package stage places an application on the ladder: a pure function from the playbook, the evidence, the policy and
// the time to a stage with its criteria. Start at Assess.
package stage

// State of a criterion.
type State string

// The states of a criterion.
const (
	Met     State = "met"
	Unmet   State = "unmet"
	Expired State = "expired" // the evidence is too old
	Stale   State = "stale"   // what the evidence proves has changed
	Waived  State = "waived"
	Unknown State = "unknown"
)

// Criterion is one requirement of one stage.
type Criterion struct {
	ID    string `json:"id"`
	Stage int    `json:"stage"`
	State State  `json:"state"`
	// Title is the requirement in words.
	Title string `json:"title"`
	// Evidence are the IDs of the records behind the state.
	Evidence []string `json:"evidence"`
	// Why says what was found.
	Why string `json:"why"`
	// Next is the one action that would help, as a command where there is one. Empty when met.
	Next string `json:"next"`

	// byPlaybook says that the playbook alone decides, without evidence.
	byPlaybook bool
	// fixed says that it cannot be waived: nothing stands in for an exercise.
	fixed bool
}

// Assessment is where the application stands.
type Assessment struct {
	Application string `json:"application"`
	// Stage is 0 to 5: the highest stage all of whose criteria, and all below, are met or waived.
	Stage    int         `json:"stage"`
	Criteria []Criterion `json:"criteria"`
	// Next is the one next action.
	Next string `json:"next,omitempty"`
	// Lost says why the stage is lower than it once was, naming what changed.
	Lost []string `json:"lost,omitempty"`
}
