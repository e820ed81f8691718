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

// SplitOf divides the time between the instants. An instant that lies before an earlier one is moved up to it: the parts
// follow each other and never overlap.
func SplitOf(i Instants) Split {
	began := i.FirstFail
	if began == nil {
		began = i.Fault
	}
	detected := notBefore(i.Detected, began)
	declared := notBefore(i.Declared, detected)
	step := notBefore(i.FirstStep, declared)
	first, second := i.ProcedureEnd, i.FirstOK
	if first != nil && second != nil && *second < *first {
		first, second = second, first
	}
	executed := notBefore(first, step)
	verified := notBefore(second, executed)
	if i.ProcedureEnd == nil || i.FirstOK == nil {
		// Without a procedure there is nothing to execute or to verify; without a good answer nothing is over.
		executed, verified = nil, i.FirstOK
	}
	return Split{
		Detect:    part(began, detected),
		Declare:   part(detected, declared),
		Decide:    part(declared, step),
		Execute:   part(step, executed),
		Verify:    part(executed, verified),
		Stabilise: part(verified, notBefore(i.Stable, verified)),
	}
}

// Total is the sum of the parts that are known.
func (s Split) Total() time.Duration {
	var sum time.Duration
	for _, p := range s.parts() {
		if p.took != nil {
			sum += *p.took
		}
	}
	return sum
}

// Biggest names the part that took longest: detect, declare, decide, execute, verify or stabilise; empty when there is none.
func (s Split) Biggest() (part string, took time.Duration) {
	for _, p := range s.parts() {
		if p.took != nil && (part == "" || *p.took > took) {
			part, took = p.name, *p.took
		}
	}
	return part, took
}

type namedPart struct {
	name string
	took *time.Duration
}

func (s Split) parts() []namedPart {
	return []namedPart{
		{"detect", s.Detect},
		{"declare", s.Declare},
		{"decide", s.Decide},
		{"execute", s.Execute},
		{"verify", s.Verify},
		{"stabilise", s.Stabilise},
	}
}

// notBefore moves t up to earlier; nil stays nil.
func notBefore(t, earlier *time.Duration) *time.Duration {
	if t == nil || earlier == nil || *t >= *earlier {
		return t
	}
	return earlier
}

func part(from, to *time.Duration) *time.Duration {
	if from == nil || to == nil {
		return nil
	}
	took := *to - *from
	return &took
}
