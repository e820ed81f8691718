package exercise

import (
	"fmt"
	"maps"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Build makes the result of a closed exercise. The times are for display.
func Build(s State, started, ended time.Time) Result {
	p := s.Plan
	f := s.facts()
	r := Result{
		ID: p.ID, Application: p.Application, Scenario: p.Scenario, Title: p.Title, Class: p.Class,
		Environment: p.Environment, Production: p.Production, Mode: p.Mode, Started: started, Ended: ended, Runner: p.Runner,
		Objective: f.Objective(), Procedure: f.Procedure, Attribution: f.Attribution,
		RTOMS: p.RTO.Milliseconds(), RPOMS: p.RPO.Milliseconds(), Fault: s.faultSeen(), SplitMS: s.split(),
		Steps: s.stepResults(), Deviations: texts(s.Deviations), Notes: texts(s.Notes),
		Digests: map[string]string{"plan": s.PlanDigest, "closure": p.Closure, "substance": p.Substance},
		Parts:   maps.Clone(p.Parts), Grade: "observed",
		RTO: f.RTO, RPO: f.RPO, Baseline: s.baselineSeen(), Notices: s.noticesSeen(),
	}
	if p.RPO == 0 {
		r.RPO = NotStated
	}
	if r.Verdict, r.Why = Judge(f); r.Verdict == Invalid {
		r.Attribution = "" // what proves nothing is attributed to nothing
	}
	if m := s.Measured; m != nil {
		r.measured(*m)
	}
	return r
}

// measured takes over the numbers.
func (r *Result) measured(m Measured) {
	r.Flaps, r.FailingMS, r.SpanMS = m.Flaps, ms(m.Failing), ms(m.Span)
	if r.Relapses = m.Relapses; m.Relapses > 0 {
		again := millis(measure.Bounds{Lower: m.RelapseLower, Upper: m.RelapseUpper, Censored: m.RelapseCensored})
		r.RelapseMS = &again
	}
	r.Versions = maps.Clone(m.Versions)
	for name, sum := range m.Files {
		r.Digests["file:"+name] = sum
	}
	if m.Why == "" {
		r.Grade = "measured"
	}
	r.OutageMS = millis(measure.Bounds{Lower: m.Lower, Upper: m.Upper, Censored: m.Seen && m.Censored})
	if m.Loss != nil {
		loss := *m.Loss
		loss.SpanMS = millis(measure.Bounds{Lower: m.LossLower, Upper: m.LossUpper, Censored: m.LossCensored})
		r.Loss = &loss
	}
}

func (s *State) baselineSeen() *BaselineSeen {
	b := s.Baseline
	if b == nil {
		return nil
	}
	seen := &BaselineSeen{Probes: b.Probes, Failed: b.Failed, WatchedMS: ms(b.Watched), Waited: b.Failed > 0}
	seen.Text = fmt.Sprintf("%d probes, none failed", b.Probes)
	if b.Failed > 0 {
		seen.Text = fmt.Sprintf("%d of %d probes failed; Belay waited %s for %s without a failure", b.Failed, b.Probes,
			b.Watched.Round(time.Millisecond), s.Plan.Baseline)
	}
	return seen
}

func (s *State) noticesSeen() []NoticeSeen {
	var out []NoticeSeen
	for _, n := range s.notices() {
		seen := NoticeSeen{Who: n.Who, How: n.How, WithinMS: n.Within.Milliseconds(), Why: n.Why, Text: n.Text}
		if at, ok := s.since(Declared); ok {
			listed := ms(at)
			seen.ListedMS, seen.By = &listed, s.DeclaredBy
		}
		out = append(out, seen)
	}
	return out
}

func (s *State) faultSeen() FaultSeen {
	if s.Fault.Status == nil {
		return FaultSeen{}
	}
	st := *s.Fault.Status
	return FaultSeen{
		ID: st.ID, Target: st.Target, Class: string(st.Class), Fidelity: string(st.Fidelity), State: string(st.State),
		Confirmed: st.Confirmed, Superseded: st.Superseded, Kept: st.Kept, Residue: st.Residue,
		Cause: st.Cause, Error: st.Error,
	}
}

// split says where the time went.
func (s *State) split() Split {
	var in measure.Instants
	at := func(p Phase) *time.Duration {
		if t, ok := s.since(p); ok {
			return &t
		}
		return nil
	}
	in.Fault, in.Detected, in.Declared = at(Faulted), at(Detected), at(Declared)
	in.FirstStep = s.firstStep()
	in.ProcedureEnd = s.recoveryEnd()
	if m := s.Measured; m != nil && m.Seen {
		first := m.StartHigh
		if m.FirstFail > 0 {
			first = m.FirstFail
		}
		in.FirstFail = &first
		if !m.Censored && m.FirstOK > 0 {
			ok, stable := m.FirstOK, max(m.Stable, m.FirstOK)
			in.FirstOK, in.Stable = &ok, &stable
		}
	}
	split := measure.SplitOf(in)
	return Split{
		Detect: msOf(split.Detect), Declare: msOf(split.Declare), Decide: msOf(split.Decide),
		Execute: msOf(split.Execute), Verify: msOf(split.Verify), Stabilise: msOf(split.Stabilise),
	}
}

// firstStep is when the first step that changes something began, or the first step at all when none does.
func (s *State) firstStep() *time.Duration {
	if t, ok := s.firstAction(); ok {
		return &t
	}
	for i, n := range s.Plan.Nodes {
		if n.Procedure == Recovery && s.Steps[i].Acted > 0 {
			t := s.Steps[i].Acted
			return &t
		}
	}
	return nil
}

// recoveryEnd is when the last step of the recovery ended.
func (s *State) recoveryEnd() *time.Duration {
	if t, ok := s.since(Testing); ok {
		return &t
	}
	return nil
}

func (s *State) stepResults() []StepResult {
	out := make([]StepResult, 0, len(s.Plan.Nodes))
	for i, n := range s.Plan.Nodes {
		st := s.Steps[i]
		state := st.State
		if state == StepWaiting {
			state = "not reached"
		}
		text := n.Text
		if filled, err := (&machine{State: *s}).fill(n); err == nil {
			text = filled.Text
		}
		out = append(out, StepResult{
			ID: n.ID, Procedure: n.Procedure, Text: Readable(text), Kind: string(n.Kind), State: state, Choice: st.Choice, By: st.By,
			StartMS: ms(st.Begun), EndMS: ms(st.Ended), Output: st.Output, Why: st.Why,
		})
	}
	return out
}

func texts(remarks []Remark) []string {
	var out []string
	for _, r := range remarks {
		text := r.Text
		if r.By != "" {
			text = r.By + ": " + text
		}
		out = append(out, text)
	}
	return out
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func msOf(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	v := ms(*d)
	return &v
}

func millis(b measure.Bounds) Millis {
	out := Millis{Lower: ms(b.Lower)}
	if !b.Censored {
		upper := ms(b.Upper)
		out.Upper = &upper
	}
	return out
}
