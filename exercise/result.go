// Package exercise is the practice: a pure state machine that carries a team through a failure and back, and says what
// was seen. exercise.Step takes an event and returns commands; it has no clock, no goroutine, no IO and no map order.
// exercise/local drives it on this machine, exercise/temporal inside a workflow; exercise/act carries out its commands.
// Start at Plan, Step and Result.
package exercise

import (
	"encoding/json"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Mode is how an exercise is run.
type Mode string

// The modes.
const (
	Guided    Mode = "guided"
	Assisted  Mode = "assisted"
	Automatic Mode = "automatic"
	Tabletop  Mode = "tabletop"
)

// Verdict is the one word about an exercise.
type Verdict string

// The verdicts.
const (
	Pass         Verdict = "PASS"
	Fail         Verdict = "FAIL"
	Inconclusive Verdict = "INCONCLUSIVE"
	Invalid      Verdict = "INVALID"
)

// Procedure says whether the playbook was followed.
type Procedure string

// The states of the procedure.
const (
	Followed   Procedure = "followed"
	Deviated   Procedure = "deviated"
	Incomplete Procedure = "incomplete"
)

// Phase is where an exercise is.
type Phase string

// The phases, in order.
const (
	Cleared    Phase = "cleared"
	Baseline   Phase = "baseline"
	Faulted    Phase = "faulted"
	Detected   Phase = "detected"
	Declared   Phase = "declared"
	Recovering Phase = "recovering"
	Testing    Phase = "testing"
	Stable     Phase = "stable"
	Reverted   Phase = "reverted"
	Resuming   Phase = "resuming"
	Closed     Phase = "closed"
)

// Millis is a pair of milliseconds [lower, upper]; upper is null when the interval is open.
type Millis struct {
	Lower float64
	Upper *float64
}

// Result is what an exercise came to: the payload of its closing record and what --json prints.
type Result struct {
	ID          string `json:"id"`
	Application string `json:"application"`
	Scenario    string `json:"scenario"`
	Title       string `json:"title"`
	Class       string `json:"class"`
	Environment string `json:"environment"`
	// Production says of what kind the environment was when the plan was frozen.
	Production bool      `json:"production"`
	Mode       Mode      `json:"mode"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Runner     string    `json:"runner"`

	Verdict Verdict `json:"verdict"`
	// Why says in one sentence what decided the verdict.
	Why string `json:"why"`
	// Objective is met, missed or undecided, over RTO and RPO together.
	Objective measure.Verdict `json:"objective"`
	Procedure Procedure       `json:"procedure"`
	// Attribution is what brought the service back: procedure, platform, reversal, or empty when it did not come back.
	Attribution string `json:"attribution"`

	OutageMS Millis `json:"outage_ms"`
	Loss     *Loss  `json:"loss"`
	SplitMS  Split  `json:"split_ms"`
	RTOMS    int64  `json:"rto_ms"`
	// RPOMS is zero when no RPO is stated.
	RPOMS int64 `json:"rpo_ms"`
	// RTO and RPO are the verdicts on each: met, missed or undecided. RPO is "not stated" when the scenario names none.
	RTO   measure.Verdict `json:"rto"`
	RPO   measure.Verdict `json:"rpo"`
	Fault FaultSeen       `json:"fault"`

	// Baseline is what was seen before the fault; nil when nobody looked.
	Baseline *BaselineSeen `json:"baseline,omitempty"`
	// Flaps is how often the service went down again before it was stable.
	Flaps int `json:"flaps"`
	// Relapses is how many further outages there were after it had been stable, RelapseMS their lengths added up. They are no part
	// of OutageMS, and they count against the RTO.
	Relapses  int     `json:"relapses"`
	RelapseMS *Millis `json:"relapse_ms,omitempty"`
	// FailingMS is the total failing time, SpanMS the time from the first failure to the last.
	FailingMS float64 `json:"failing_ms"`
	SpanMS    float64 `json:"span_ms"`

	Steps      []StepResult `json:"steps"`
	Deviations []string     `json:"deviations,omitempty"`
	Notes      []string     `json:"notes,omitempty"`
	// Notices are who was to be told once the disaster was declared. Belay sends nothing.
	Notices []NoticeSeen `json:"notices,omitempty"`

	// Digests: "plan" of the frozen plan, "closure" of what the exercise proves, "substance" of the playbook.
	Digests map[string]string `json:"digests"`
	// Parts are the closure's digests, part by part (playbook.Parts), so that a later change can be named.
	Parts map[string]string `json:"parts"`
	// Versions are the identities seen at the probes, by service.
	Versions map[string][]string `json:"versions,omitempty"`
	// Grade of the numbers: measured, or less where no probe or canary was there.
	Grade string `json:"grade"`
}

// Loss is what the canary found missing. Nil in a Result means that no canary ran: an RPO without one is claimed, never met.
type Loss struct {
	Rows   int    `json:"rows"`
	SpanMS Millis `json:"span_ms"`
	// Acked is how many writes the service had acknowledged in all.
	Acked int `json:"acked"`
	// Unknown is how many writes had no answer, UnknownKept how many of those survived.
	Unknown     int `json:"unknown"`
	UnknownKept int `json:"unknown_kept"`
	// Phantoms were refused and are present all the same; Duplicates, Reordered and Holes are reported apart.
	Phantoms   int `json:"phantoms"`
	Duplicates int `json:"duplicates"`
	Reordered  int `json:"reordered"`
	Holes      int `json:"holes"`
	// Late is how many of Rows were lost after the service was stable, for example when the old primary came back. Back is how
	// many of Rows were missing then and are there now.
	Late int `json:"late"`
	Back int `json:"back"`
	// Readings is how often the rows were read back; late loss shows only from the second on.
	Readings int `json:"readings"`
	// ResolutionMS is the longest gap between acknowledged writes: no loss shorter than this could be seen.
	ResolutionMS float64 `json:"resolution_ms"`
}

// NotStated is the verdict on an objective that the scenario does not name.
const NotStated measure.Verdict = "not stated"

// BaselineSeen is what was seen of the steady state before the fault.
type BaselineSeen struct {
	// Probes and Failed count the conclusive probes, WatchedMS is how long they were watched.
	Probes    int     `json:"probes"`
	Failed    int     `json:"failed"`
	WatchedMS float64 `json:"watched_ms"`
	// Waited says that a failure began the baseline again.
	Waited bool `json:"waited"`
	// Text says it in words.
	Text string `json:"text"`
}

// NoticeSeen is one notification, and when it was put before a person.
type NoticeSeen struct {
	Who      []string `json:"who"`
	How      []string `json:"how,omitempty"`
	WithinMS int64    `json:"within_ms,omitempty"`
	Why      string   `json:"why,omitempty"`
	Text     string   `json:"text,omitempty"`
	// ListedMS is when the disaster was declared; null when it was not.
	ListedMS *float64 `json:"listed_ms"`
	// By is who declared it.
	By string `json:"by,omitempty"`
	// Sent is always false in this version.
	Sent bool `json:"sent"`
}

// Split is where the time went, in milliseconds. A part that did not happen is null.
type Split struct {
	Detect    *float64 `json:"detect"`
	Declare   *float64 `json:"declare"`
	Decide    *float64 `json:"decide"`
	Execute   *float64 `json:"execute"`
	Verify    *float64 `json:"verify"`
	Stabilise *float64 `json:"stabilise"`
}

// FaultSeen is what is known of the fault.
type FaultSeen struct {
	ID         string   `json:"id,omitempty"`
	Target     string   `json:"target,omitempty"`
	Class      string   `json:"class,omitempty"`
	Fidelity   string   `json:"fidelity,omitempty"`
	State      string   `json:"state,omitempty"`
	Confirmed  string   `json:"confirmed,omitempty"`
	Superseded []string `json:"superseded,omitempty"`
	// Kept lists the originals that stay aside because a recovery has taken their place.
	Kept    []string `json:"kept,omitempty"`
	Residue []string `json:"residue,omitempty"`
	// Cause says what ended it. Error says why it was not seen to have ended.
	Cause string `json:"cause,omitempty"`
	Error string `json:"error,omitempty"`
}

// StepResult is what became of one step.
type StepResult struct {
	ID        string  `json:"id"`
	Procedure string  `json:"procedure"` // recovery, test, resume or backout
	Text      string  `json:"text"`
	Kind      string  `json:"kind"`
	State     string  `json:"state"` // done, failed, skipped, unknown, not reached
	Choice    string  `json:"choice,omitempty"`
	By        string  `json:"by,omitempty"`
	StartMS   float64 `json:"start_ms"`
	EndMS     float64 `json:"end_ms"`
	Output    string  `json:"output,omitempty"`
	Why       string  `json:"why,omitempty"`
}

// MarshalJSON writes [lower, upper].
func (m Millis) MarshalJSON() ([]byte, error) { return json.Marshal([2]any{m.Lower, m.Upper}) }

// UnmarshalJSON reads [lower, upper].
func (m *Millis) UnmarshalJSON(b []byte) error {
	var pair [2]*float64
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if pair[0] != nil {
		m.Lower = *pair[0]
	}
	m.Upper = pair[1]
	return nil
}
