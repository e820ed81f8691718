package exercise

import (
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
)

// State is everything that an exercise knows of itself. It is plain data: the same events give the same state.
type State struct {
	// Machine and PlanDigest pin what the state was made with.
	Machine    int    `json:"machine"`
	PlanDigest string `json:"plan_digest"`
	Plan       Plan   `json:"plan"`

	Phase Phase `json:"phase"`
	// Marks are the phases passed, with the time at which each began.
	Marks []Mark `json:"marks"`
	// Now is the time of the latest event.
	Now time.Duration `json:"now_ns"`

	Targets []Target `json:"targets"`
	// Baseline is what was seen before the fault, once that is known.
	Baseline *SteadyState `json:"baseline,omitempty"`
	Edges    []Edge       `json:"edges,omitempty"`
	Fault    Fault        `json:"fault"`

	// DeclaredBy is who declared the disaster; empty until somebody has.
	DeclaredBy string `json:"declared_by,omitempty"`

	// Procedure is the one being carried out, At the index of its current node; -1 when there is none.
	Procedure string      `json:"procedure,omitempty"`
	At        int         `json:"at"`
	Steps     []StepState `json:"steps"`
	// Open are the commands given out and not answered.
	Open []Open `json:"open,omitempty"`
	// Given counts the commands of each name, so that no ID is used twice.
	Given []Count `json:"given,omitempty"`

	Captures []Captured `json:"captures,omitempty"`
	// NoReturn is the step of no return that was begun.
	NoReturn string `json:"no_return,omitempty"`

	Stop       *Stop    `json:"stop,omitempty"`
	Deviations []Remark `json:"deviations,omitempty"`
	Notes      []Remark `json:"notes,omitempty"`
	// Seen are the IDs of the remarks taken, sorted.
	Seen []string `json:"seen,omitempty"`
	// Resumes are the times at which the driver came back after a crash.
	Resumes []time.Duration `json:"resumes,omitempty"`

	// Ending says that nothing more is tried: the fault is ended, what was seen is measured, and that is all.
	Ending bool `json:"ending,omitempty"`
	// Cut is the time after which nothing counts any more; zero when everything does.
	Cut time.Duration `json:"cut_ns,omitempty"`
	// Broken says why the exercise proves nothing; empty while it may.
	Broken string `json:"broken,omitempty"`
	// RecoveryFailed and TestFailed name the step at which the procedure ended.
	RecoveryFailed string `json:"recovery_failed,omitempty"`
	TestFailed     string `json:"test_failed,omitempty"`
	// Incomplete says what part of the procedure was not carried out.
	Incomplete string `json:"incomplete,omitempty"`

	Measured *Measured `json:"measured,omitempty"`
}

// Mark is the beginning of a phase.
type Mark struct {
	Phase Phase         `json:"phase"`
	At    time.Duration `json:"at_ns"`
}

// Target is what is known of one probe's target.
type Target struct {
	Name    string `json:"name"`
	Primary bool   `json:"primary,omitempty"`
	// State is "", Down, Up or Steady, since the time At.
	State EventKind     `json:"state,omitempty"`
	At    time.Duration `json:"at_ns"`
	Downs int           `json:"downs,omitempty"`
}

// Edge is one change of a target.
type Edge struct {
	At     time.Duration `json:"at_ns"`
	Target string        `json:"target"`
	Kind   EventKind     `json:"kind"`
}

// Fault is what is known of the fault.
type Fault struct {
	// Asked says that the driver was asked to hold it, Confirmed that its effect was seen.
	Asked       bool          `json:"asked,omitempty"`
	AskedAt     time.Duration `json:"asked_at_ns,omitempty"`
	Confirmed   bool          `json:"confirmed,omitempty"`
	ConfirmedAt time.Duration `json:"confirmed_at_ns,omitempty"`
	// Released says that the driver was asked to end it, Ended that it is over.
	Released   bool          `json:"released,omitempty"`
	ReleasedAt time.Duration `json:"released_at_ns,omitempty"`
	Ended      bool          `json:"ended,omitempty"`
	// EndedAt is when a fault was seen to have ended that nobody had released. Zero when it was released first.
	EndedAt time.Duration `json:"ended_at_ns,omitempty"`
	// Error says why it could not be reverted.
	Error  string        `json:"error,omitempty"`
	Status *fault.Status `json:"status,omitempty"`
}

// The states of a step.
const (
	StepWaiting = ""
	StepRunning = "running"
	StepDone    = "done"
	StepFailed  = "failed"
	StepSkipped = "skipped"
	StepUnknown = "unknown"
)

// StepState is what is known of one node.
type StepState struct {
	State   string        `json:"state,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Begun   time.Duration `json:"begun_ns,omitempty"`
	// Acted is when the step itself began, after its condition and decision.
	Acted  time.Duration `json:"acted_ns,omitempty"`
	Ended  time.Duration `json:"ended_ns,omitempty"`
	Choice string        `json:"choice,omitempty"`
	Hint   string        `json:"hint,omitempty"`
	By     string        `json:"by,omitempty"`
	Output string        `json:"output,omitempty"`
	Why    string        `json:"why,omitempty"`
}

// Open is a command that was given out and not answered.
type Open struct {
	Command Command       `json:"command"`
	Begun   bool          `json:"begun,omitempty"`
	At      time.Duration `json:"at_ns"`
}

// Count is how many commands were given out under a name.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// Stop is why and when an exercise was ended early.
type Stop struct {
	At  time.Duration `json:"at_ns"`
	By  string        `json:"by,omitempty"`
	Why string        `json:"why,omitempty"`
	// Outage says that the service was down at the time.
	Outage bool `json:"outage,omitempty"`
}

// Remark is what somebody said, and when.
type Remark struct {
	At   time.Duration `json:"at_ns"`
	By   string        `json:"by,omitempty"`
	Text string        `json:"text"`
}

// New is the state of an exercise before its first event.
func New(p Plan) State {
	s := State{Machine: MachineVersion, PlanDigest: p.Digest(), Plan: p, At: -1, Steps: make([]StepState, len(p.Nodes))}
	for _, probe := range p.Probes {
		s.Targets = append(s.Targets, Target{Name: probe.Name, Primary: probe.Primary})
	}
	return s
}

// Fits says whether this machine can go on with the state: it was made by the same version and its plan is unchanged.
func (s State) Fits() error {
	if s.Machine != MachineVersion {
		return fmt.Errorf("the exercise was begun by machine version %d, this is version %d", s.Machine, MachineVersion)
	}
	if s.Plan.Digest() != s.PlanDigest {
		return fmt.Errorf("the exercise's plan has changed since it began")
	}
	return nil
}

// clone copies all that Step may change; the plan is shared because nobody changes it.
func (s State) clone() State {
	s.Marks = slices.Clone(s.Marks)
	s.Targets = slices.Clone(s.Targets)
	s.Edges = slices.Clone(s.Edges)
	s.Steps = slices.Clone(s.Steps)
	s.Open = slices.Clone(s.Open)
	s.Given = slices.Clone(s.Given)
	s.Captures = slices.Clone(s.Captures)
	s.Deviations = slices.Clone(s.Deviations)
	s.Notes = slices.Clone(s.Notes)
	s.Seen = slices.Clone(s.Seen)
	s.Resumes = slices.Clone(s.Resumes)
	if s.Stop != nil {
		stop := *s.Stop
		s.Stop = &stop
	}
	return s
}

// down says whether any target that decides is down.
func (s *State) down() bool {
	return slices.ContainsFunc(s.Targets, func(t Target) bool { return t.Primary && t.State == Down })
}

// steady says whether every target that decides is steady; one that never failed is.
func (s *State) steady() bool {
	return !slices.ContainsFunc(s.Targets, func(t Target) bool {
		return t.Primary && (t.State == Down || t.State == Up)
	})
}

// failed is the first failure of a target that decides since the fault was asked for. What failed before is the baseline's.
func (s *State) failed() (Edge, bool) {
	if !s.Fault.Asked {
		return Edge{}, false
	}
	for _, e := range s.Edges {
		if e.Kind == Down && e.At >= s.Fault.AskedAt && s.primary(e.Target) {
			return e, true
		}
	}
	return Edge{}, false
}

func (s *State) primary(target string) bool {
	return slices.ContainsFunc(s.Targets, func(t Target) bool { return t.Primary && t.Name == target })
}

// since returns when the phase began, and whether it did.
func (s *State) since(p Phase) (time.Duration, bool) {
	for _, m := range s.Marks {
		if m.Phase == p {
			return m.At, true
		}
	}
	return 0, false
}

// reached says whether the phase has begun.
func (s *State) reached(p Phase) bool {
	_, ok := s.since(p)
	return ok
}

// open returns the index of the open command with the ID, or -1.
func (s *State) open(id string) int {
	return slices.IndexFunc(s.Open, func(o Open) bool { return o.Command.ID == id })
}

// Closed says whether the exercise is over.
func (s State) Closed() bool { return s.Phase == Closed }
