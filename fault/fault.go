// Package fault is the breaking: what a fault is, what it may touch, how it ends. This package is types and their
// arithmetic; fault/hold holds faults (holder, reaper, sweep) and each target has a folder of its own.
//
// The rule that everything here serves: a fault lives exactly as long as its holder's standard input, and a lease.
// Start at Spec and Status.
package fault

import (
	"encoding/json"
	"slices"
	"time"
)

// Class says how a fault is undone.
type Class string

// The undo classes.
const (
	// SelfEnding faults are taken back by the kernel or a lease.
	SelfEnding Class = "self-ending"
	// Restore faults put back only what still equals the fingerprint taken after the injection.
	Restore Class = "restore"
	// OneShot faults have nothing to revert. Belay never restarts their victim.
	OneShot Class = "one-shot"
)

// Fidelity says how close a fault is to the real thing, weakest first.
type Fidelity string

// The fidelities in rising order.
const (
	Signal  Fidelity = "signal"
	Network Fidelity = "network"
	Process Fidelity = "process"
	Host    Fidelity = "host"
	Zone    Fidelity = "zone"
	Region  Fidelity = "region"
	Data    Fidelity = "data"
)

// Rank orders fidelities, from 0; one that is unknown is -1.
func (f Fidelity) Rank() int {
	return slices.Index([]Fidelity{Signal, Network, Process, Host, Zone, Region, Data}, f)
}

// Spec is one fault as the playbook or a request names it: {"process": {"kill": {"pid_file": "..."}}}.
type Spec struct {
	Kind   string
	Config json.RawMessage
}

// MarshalJSON writes {"kind": config}.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]json.RawMessage{s.Kind: s.Config})
}

// UnmarshalJSON reads {"kind": config}.
func (s *Spec) UnmarshalJSON(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	if len(m) != 1 {
		return errOneKind
	}
	for k, v := range m {
		s.Kind, s.Config = k, v
	}
	return nil
}

// Remote is the kind of a fault on another host. A playbook does not name it: it gives a fault the key "where".
const Remote = "remote"

// At is the same fault on another host, for example ssh://ops@app-1. An empty place, and "local", is here.
func (s Spec) At(where string) (Spec, error) {
	if where == "" || where == "local" {
		return s, nil
	}
	b, err := json.Marshal(map[string]any{"where": where, "fault": s})
	return Spec{Kind: Remote, Config: b}, err
}

// State is where a held fault is.
type State string

// The states of a fault, in order; after Held it takes one of the last four.
const (
	Planned    State = "planned"
	Armed      State = "armed"      // the undo record and the reaper are in place, nothing is changed yet
	Held       State = "held"       // injected and confirmed
	Reverted   State = "reverted"   // everything is back as it was
	Superseded State = "superseded" // something had been changed meanwhile and was left alone
	Ended      State = "ended"      // one-shot: there is nothing to revert
	Failed     State = "failed"     // it could not be injected, confirmed or reverted: see Error
)

// Status is what is known of one fault.
type Status struct {
	ID     string        `json:"id"`
	Target string        `json:"target"`
	Class  Class         `json:"class"`
	State  State         `json:"state"`
	Since  time.Time     `json:"since"`
	Limit  time.Duration `json:"limit_ns"`
	// Mechanism is how it is done: "nft owner table".
	Mechanism string `json:"mechanism,omitempty"`
	// KernelEnds says that the kernel itself takes it back when the holder dies.
	KernelEnds bool `json:"kernel_ends,omitempty"`
	// Radius is the blast radius, as the plan said it.
	Radius []string `json:"radius,omitempty"`
	// Exercise is the exercise it belongs to.
	Exercise string `json:"exercise,omitempty"`
	// Fidelity of the fault.
	Fidelity Fidelity `json:"fidelity"`
	// Confirmed says by what the effect was seen, for example "process 4711 is gone".
	Confirmed string `json:"confirmed,omitempty"`
	// Superseded lists what was left alone, and why.
	Superseded []string `json:"superseded,omitempty"`
	// Kept lists originals that were put aside and not put back.
	Kept []string `json:"kept,omitempty"`
	// Discarded lists the kept originals that a person had deleted afterwards.
	Discarded []string `json:"discarded,omitempty"`
	// Residue lists what the fault left behind. Empty is proof that there is none.
	Residue []string `json:"residue,omitempty"`
	// Cause says what ended it: released, end-of-file, signal, beat, limit, reaper, sweep, halt, lost.
	Cause string `json:"cause,omitempty"`
	Error string `json:"error,omitempty"`
}

// Permit is what the guard of an exercise gives: without one, a holder asks for a reason and refuses production.
type Permit struct {
	Exercise    string    `json:"exercise"`
	Environment string    `json:"environment"`
	Production  bool      `json:"production"`
	Plan        string    `json:"plan"` // digest of the frozen plan
	Expires     time.Time `json:"expires"`
}
