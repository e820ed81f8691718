package exercise

import (
	"encoding/json"
	"time"

	"github.com/belay-dr/belay/fault"
)

// EventKind says what happened.
type EventKind string

// The kinds of event. The first six are about a command and name it.
const (
	CommandStarted EventKind = "command_started" // the driver is about to act on the command
	CommandDone    EventKind = "command_done"    // it did what it should, see Output, Captures, Choice, Holds, Fault, Measured
	CommandFailed  EventKind = "command_failed"  // it did not, see Text
	CommandSkipped EventKind = "command_skipped" // a person left an optional step out, see Text
	CommandUnknown EventKind = "command_unknown" // it was started and nobody knows what became of it

	Started    EventKind = "started"     // the guard has given its permit and the clock runs
	Down       EventKind = "down"        // a probe's target stopped answering
	Up         EventKind = "up"          // it answers again
	Steady     EventKind = "stable"      // it has answered for a whole window
	FaultEnded EventKind = "fault_ended" // the fault ended without being released
	Noted      EventKind = "note"        // a remark
	Deviation  EventKind = "deviation"   // somebody did what is not written
	Stopped    EventKind = "stop"        // a person, an abort criterion or the time box ends the exercise
	Resumed    EventKind = "resumed"     // the driver is back after a crash
)

// Event is one thing that happened. Times are durations since the exercise's origin. An event that was seen before, or that
// comes too late to matter, changes nothing.
type Event struct {
	// ID makes remarks of people recognisable when they arrive twice. Other events need none.
	ID   string        `json:"id,omitempty"`
	At   time.Duration `json:"at_ns"`
	Kind EventKind     `json:"kind"`
	// Command is the ID of the command that the event is about.
	Command string `json:"command,omitempty"`
	// Target is the probe, for Down, Up and Steady.
	Target string `json:"target,omitempty"`
	// By is the person or thing behind it; empty means Belay.
	By string `json:"by,omitempty"`
	// Text is a reason or a remark.
	Text string `json:"text,omitempty"`
	// Output is what a command printed, bounded and redacted.
	Output string `json:"output,omitempty"`
	// Captures are the values taken from the output. Those of sensitive ones are empty.
	Captures []Captured `json:"captures,omitempty"`
	// Choice is the option taken.
	Choice string `json:"choice,omitempty"`
	// Holds says whether a condition held.
	Holds    *bool         `json:"holds,omitempty"`
	Fault    *fault.Status `json:"fault,omitempty"`
	Baseline *SteadyState  `json:"baseline,omitempty"`
	Measured *Measured     `json:"measured,omitempty"`
}

// SteadyState is what was seen before the fault.
type SteadyState struct {
	// Probes counts the conclusive probes of the targets that decide, Failed those of them that failed.
	Probes int `json:"probes"`
	Failed int `json:"failed"`
	// Watched is how long it was watched in all: longer than the baseline when a failure began it again.
	Watched time.Duration `json:"watched_ns"`
}

// Captured is one captured value.
type Captured struct {
	Name      string `json:"name"`
	Value     string `json:"value,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
}

// Measured is what the observer made of its samples and the canary's writes.
type Measured struct {
	// Seen says that there was an outage at all.
	Seen bool `json:"seen"`
	// The outage began in (StartLow, StartHigh] and ended in (EndLow, EndHigh].
	StartLow  time.Duration `json:"start_low_ns"`
	StartHigh time.Duration `json:"start_high_ns"`
	EndLow    time.Duration `json:"end_low_ns"`
	EndHigh   time.Duration `json:"end_high_ns"`
	// Lower and Upper are the bounds of its length. When Censored it had not ended, and Upper means nothing.
	Lower    time.Duration `json:"lower_ns"`
	Upper    time.Duration `json:"upper_ns"`
	Censored bool          `json:"censored,omitempty"`
	// FirstFail is the start of the first failing probe.
	FirstFail time.Duration `json:"first_fail_ns"`
	// FirstOK is the start of the sustained window and Stable its end; zero when there was none.
	FirstOK time.Duration `json:"first_ok_ns"`
	Stable  time.Duration `json:"stable_ns"`
	Flaps   int           `json:"flaps"`
	Failing time.Duration `json:"failing_ns"`
	Span    time.Duration `json:"span_ns"`
	// Relapses is how many further outages there were after the service had been stable. The other three bound their lengths,
	// added up.
	Relapses        int           `json:"relapses,omitempty"`
	RelapseLower    time.Duration `json:"relapse_lower_ns,omitempty"`
	RelapseUpper    time.Duration `json:"relapse_upper_ns,omitempty"`
	RelapseCensored bool          `json:"relapse_censored,omitempty"`
	// Loss is nil when no canary ran, or its rows could not be read back; LossWhy says which.
	Loss    *Loss  `json:"loss,omitempty"`
	LossWhy string `json:"loss_why,omitempty"`
	// LossLower and LossUpper are the bounds of the span of lost data.
	LossLower    time.Duration `json:"loss_lower_ns,omitempty"`
	LossUpper    time.Duration `json:"loss_upper_ns,omitempty"`
	LossCensored bool          `json:"loss_censored,omitempty"`
	// Versions are the identities seen, by service.
	Versions map[string][]string `json:"versions,omitempty"`
	// Files are the SHA-256 digests of the raw data, by file name.
	Files map[string]string `json:"files,omitempty"`
	// Why says what could not be measured.
	Why string `json:"why,omitempty"`
}

// CommandKind says what the driver is asked to do.
type CommandKind string

// The kinds of command.
const (
	DoObserve CommandKind = "observe"  // start probes and canary, watch the baseline, look at the assumptions
	DoTimeBox CommandKind = "time_box" // report when Wait has passed
	DoInject  CommandKind = "inject"   // hold the fault; done when its effect is confirmed
	DoGrace   CommandKind = "grace"    // report when Wait has passed
	DoDeclare CommandKind = "declare"  // a person (or Belay, in automatic mode) declares the disaster
	DoRun     CommandKind = "run"      // carry out the step, look at its expectation, take its captures
	DoExpect  CommandKind = "expect"   // only look at the step's expectation, until its timeout
	DoIf      CommandKind = "if"       // look once whether the step's condition holds
	DoDecide  CommandKind = "decide"   // find the first option whose condition holds
	DoAsk     CommandKind = "ask"      // ask a person to do the step, decide, or approve
	DoSettle  CommandKind = "settle"   // ask a person what became of a step nobody knows about
	DoCancel  CommandKind = "cancel"   // stop acting on the command named by Target
	DoRead    CommandKind = "read"     // read the canary's rows and keep what is there; nothing is said of it yet
	DoRelease CommandKind = "release"  // end the fault and look for residue
	DoMeasure CommandKind = "measure"  // drain the probes, read the canary back, do the arithmetic
	DoClose   CommandKind = "close"    // write the closing record; nothing follows
)

// Command is one thing the driver is asked to do. Its ID is derived (node#attempt#n), so that a replay gives the same
// one. The driver journals CommandStarted before it acts.
type Command struct {
	ID   string      `json:"id"`
	Kind CommandKind `json:"kind"`
	// Step is the node, with captured values filled in, for the commands that are about one.
	Step *Node `json:"step,omitempty"`
	// Attempt counts from 1.
	Attempt int `json:"attempt,omitempty"`
	// Notices are who is to be told, for the declaration.
	Notices []Notice `json:"notices,omitempty"`
	// Hint is what Belay would choose, where it asks a person.
	Hint string        `json:"hint,omitempty"`
	Wait time.Duration `json:"wait_ns,omitempty"`
	// Target is the command to cancel.
	Target string `json:"target,omitempty"`
	// End cuts the measurement: samples after it do not count. Zero means the present.
	End time.Duration `json:"end_ns,omitempty"`
}

// String writes the command as one line.
func (c Command) String() string {
	b, _ := json.Marshal(c)
	return string(b)
}
