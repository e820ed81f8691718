package measure

import "time"

// Instants are the named moments of one recovery. Nil means that it did not happen or is not known.
type Instants struct {
	Fault        *time.Duration // the fault was confirmed
	FirstFail    *time.Duration // OutageReport.FirstFail
	Detected     *time.Duration // an alert or a person noticed
	Declared     *time.Duration // somebody said: we use the playbook
	FirstStep    *time.Duration // the first step of the recovery procedure began
	ProcedureEnd *time.Duration // its last step ended
	FirstOK      *time.Duration // OutageReport.FirstOK
	Stable       *time.Duration // OutageReport.Stable
}

// Split is where the time went. A part is nil when one of the instants it needs is missing. Nothing is ever negative, and when
// all parts are there their sum is the time from the first failure to stable.
type Split struct {
	// Detect is first failure (the fault, when no failure was seen) to detected.
	Detect *time.Duration `json:"detect_ns"`
	// Declare is detected to declared.
	Declare *time.Duration `json:"declare_ns"`
	// Decide is declared to the first step.
	Decide *time.Duration `json:"decide_ns"`
	// Execute is the first step to the end of the procedure or the first good answer, whichever came first.
	Execute *time.Duration `json:"execute_ns"`
	// Verify is from there to the other of the two.
	Verify *time.Duration `json:"verify_ns"`
	// Stabilise is from there to stable.
	Stabilise *time.Duration `json:"stabilise_ns"`
}

// SplitOf divides the time between the instants.
func SplitOf(i Instants) Split { return Split{} }

// Biggest names the part that took longest: detect, declare, decide, execute, verify or stabilise; empty when there is none.
func (s Split) Biggest() (part string, took time.Duration) { return "", 0 }
