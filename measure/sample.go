// Package measure turns what an observer saw into what happened: an outage with bounds, a loss with bounds, and
// where the time went. It is arithmetic only: no clock, no network, no goroutine. What looks at the world is in
// measure/probe and measure/canary. Start at Outage and Loss; the formulas are explained in docs/measuring.md.
//
// All times are durations since the exercise's origin, on a clock that keeps counting through suspend.
package measure

import "time"

// Outcome is what became of one probe.
type Outcome string

// The outcomes of a probe.
const (
	OK   Outcome = "ok"
	Fail Outcome = "fail"
	Void Outcome = "void" // the observer's own fault: no socket, no CPU, its network down
)

// Sample is one probe: it started at Start and ended (answer, error or timeout) at End.
type Sample struct {
	Seq     int           `json:"seq"`
	Start   time.Duration `json:"start_ns"`
	End     time.Duration `json:"end_ns"`
	Outcome Outcome       `json:"outcome"`
	// Reason says why it failed or is void.
	Reason string `json:"reason,omitempty"`
	// Identity is who answered (the beacon), where the probe asks for one.
	Identity string `json:"identity,omitempty"`
	// Address is the network address that answered.
	Address string `json:"address,omitempty"`
}

// Bounds is an interval that contains the truth. When Censored, the truth is at least Lower and Upper means nothing.
type Bounds struct {
	Lower    time.Duration `json:"lower_ns"`
	Upper    time.Duration `json:"upper_ns"`
	Censored bool          `json:"censored,omitempty"`
}

// Pace is the schedule that the samples were taken on.
type Pace struct {
	Period  time.Duration `json:"period_ns"`
	Timeout time.Duration `json:"timeout_ns"`
	Window  time.Duration `json:"window_ns"`
}

// Gap is a span in which the observer did not look (crashed, suspended, void).
type Gap struct {
	From  time.Duration `json:"from_ns"`
	Until time.Duration `json:"until_ns"`
}

// Verdict on an objective.
type Verdict string

// The verdicts on an objective.
const (
	Met       Verdict = "met"
	Missed    Verdict = "missed"
	Undecided Verdict = "undecided"
)

// WriteState is what became of one canary write.
type WriteState string

// The states of a canary write: intended and then one of the others.
const (
	WriteIntent  WriteState = "intent"
	WriteAcked   WriteState = "acked"
	WriteFailed  WriteState = "failed"  // the service refused it; it must not be there
	WriteUnknown WriteState = "unknown" // no answer: it may or may not be there
)

// Write is one canary write. Sequence numbers rise strictly; there is one writer.
type Write struct {
	Seq   int64         `json:"seq"`
	Sent  time.Duration `json:"sent_ns"`
	Done  time.Duration `json:"done_ns"`
	State WriteState    `json:"state"`
	// Reason says why it failed.
	Reason string `json:"reason,omitempty"`
}
