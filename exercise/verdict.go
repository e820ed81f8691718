package exercise

import (
	"fmt"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/measure"
)

// Facts are what a verdict is made of.
type Facts struct {
	// Broken says why the exercise proves nothing; empty when it may.
	Broken string
	// Confirmed says that the fault was seen to take effect, Outage that the service was seen to fail.
	Confirmed bool
	Outage    bool
	// RTO and RPO are the verdicts on the objectives; RPO is empty when the scenario names none.
	RTO, RPO   measure.Verdict
	RTOWhy     string
	RPOWhy     string
	Censored   bool
	Stopped    string
	Procedure  Procedure
	Incomplete string
	// Failed names what failed in the recovery or the tests.
	Failed     string
	Deviations int
	// Attribution is what brought the service back, Declared what the scenario says should.
	Attribution, Declared string
	NotReverted           string
	Residue               []string
}

// Objective is the verdict over RTO and RPO together: missed when one is, met when all are.
func (f Facts) Objective() measure.Verdict {
	switch {
	case f.RTO == measure.Missed || f.RPO == measure.Missed:
		return measure.Missed
	case f.RTO == measure.Met && (f.RPO == measure.Met || f.RPO == ""):
		return measure.Met
	}
	return measure.Undecided
}

// Judge gives the one word about an exercise and the sentence that says why. PASS needs everything: the fault was
// seen, the objective is met, the playbook was followed, the service came back by what the scenario declares, nothing is left
// of the fault.
func Judge(f Facts) (Verdict, string) {
	verdict, why := judge(f)
	if verdict == Invalid && f.NotReverted != "" {
		why += "; " + f.NotReverted
	}
	if f.Deviations > 0 && why != needsUpdate {
		why += "; " + needsUpdate
	}
	return verdict, why
}

// NoRPO is said of an exercise whose scenario names no recovery point objective: nothing was met there.
const NoRPO = "no RPO is stated"

// needsUpdate is what a deviation says, whatever else decided the verdict.
const needsUpdate = "somebody did what is not written: the playbook needs an update"

func judge(f Facts) (Verdict, string) {
	switch {
	case f.Broken != "":
		return Invalid, f.Broken
	case !f.Confirmed:
		return Invalid, "the fault was not seen to take effect"
	case !f.Outage && f.Declared != string(byPlatform):
		return Invalid, "the service was never seen to fail"
	case f.NotReverted != "":
		return Fail, f.NotReverted
	case f.RTO == measure.Missed:
		return Fail, "the RTO was missed: " + f.RTOWhy
	case f.RPO == measure.Missed:
		return Fail, "the RPO was missed: " + f.RPOWhy
	case f.Failed != "":
		return Fail, f.Failed
	case f.Stopped != "" && f.Censored:
		return Inconclusive, "it was stopped in the middle of the outage (" + f.Stopped + "), before the RTO was over"
	case f.Deviations > 0:
		return Fail, needsUpdate
	case len(f.Residue) > 0:
		return Fail, "the fault left something behind: " + f.Residue[0]
	case f.Stopped != "":
		return Inconclusive, "it was stopped before the end: " + f.Stopped
	case f.Procedure != Followed:
		return Fail, f.Incomplete
	case f.Censored:
		return Inconclusive, "the service was not stable at the end"
	case f.Attribution != f.Declared:
		return Fail, fmt.Sprintf("the service came back by %s, and the playbook says by %s", f.Attribution, f.Declared)
	case f.RTO != measure.Met:
		return Inconclusive, "the RTO is undecided: " + f.RTOWhy
	case f.RPO == measure.Undecided:
		return Inconclusive, "the RPO is undecided: " + f.RPOWhy
	}
	if f.RPO == "" {
		return Pass, "the fault was seen, the playbook was followed, and the RTO is met; " + NoRPO
	}
	return Pass, "the fault was seen, the playbook was followed, and the objectives are met"
}

// facts gathers what the verdict needs.
func (s *State) facts() Facts {
	f := Facts{
		Broken: s.Broken, Confirmed: s.Fault.Confirmed, Declared: s.Plan.RecoversBy, Deviations: len(s.Deviations),
		NotReverted: s.Fault.Error, Procedure: s.procedure(), Incomplete: s.Incomplete,
	}
	if f.Procedure == Incomplete && f.Incomplete == "" {
		f.Incomplete = "the playbook was not carried out to its end"
	}
	if s.Stop != nil {
		f.Stopped = s.Stop.Why
		if s.Stop.By != "" && s.Stop.Why == "" {
			f.Stopped = "by " + s.Stop.By
		}
	}
	switch {
	case s.RecoveryFailed != "":
		f.Failed = "the recovery failed at step " + s.RecoveryFailed + s.whyOf(s.RecoveryFailed)
	case s.TestFailed != "":
		f.Failed = "the test procedure failed at step " + s.TestFailed + s.whyOf(s.TestFailed)
	}
	if st := s.Fault.Status; st != nil {
		f.Residue = st.Residue
		if st.State == fault.Failed && f.NotReverted == "" && s.Fault.Confirmed {
			f.NotReverted = "the fault was not reverted: " + st.Error
		}
	}
	s.objectives(&f)
	f.Attribution = s.attribution()
	return f
}

func (s *State) whyOf(step string) string {
	if i := s.Plan.node(step); i >= 0 && s.Steps[i].Why != "" {
		return ": " + s.Steps[i].Why
	}
	return ""
}

// objectives judges the bounds.
func (s *State) objectives(f *Facts) {
	f.RTO = measure.Undecided
	if s.Plan.RPO > 0 {
		f.RPO, f.RPOWhy = measure.Undecided, s.whyNoLoss()
	}
	m := s.Measured
	if !s.Fault.Confirmed {
		f.RTOWhy = "nothing was broken"
		return
	}
	if m == nil || m.Why != "" && !m.Seen {
		f.RTOWhy = "nothing was measured"
		return
	}
	f.Outage, f.Censored = m.Seen, m.Seen && (m.Censored || m.RelapseCensored)
	bounds := measure.Bounds{Lower: m.Lower, Upper: m.Upper, Censored: m.Censored}
	if !m.Seen {
		bounds = measure.Bounds{Upper: m.Upper}
	}
	f.RTOWhy = "the outage lasted " + between(bounds)
	if m.Relapses > 0 {
		// The outage ended when the service was stable; what failed later counts all the same.
		bounds.Lower, bounds.Upper = bounds.Lower+m.RelapseLower, bounds.Upper+m.RelapseUpper
		bounds.Censored = bounds.Censored || m.RelapseCensored
		f.RTOWhy += fmt.Sprintf(", and with %s after the service had been stable it was down for %s", relapses(m.Relapses), between(bounds))
	}
	f.RTO = measure.Judge(bounds, s.Plan.RTO)
	f.RTOWhy += fmt.Sprintf(", the objective is %s", s.Plan.RTO)
	if s.Plan.RPO == 0 || m.Loss == nil {
		return
	}
	lost := measure.Bounds{Lower: m.LossLower, Upper: m.LossUpper, Censored: m.LossCensored}
	f.RPO = measure.Judge(lost, s.Plan.RPO)
	f.RPOWhy = fmt.Sprintf("data of %s was lost, the objective is %s", between(lost), s.Plan.RPO)
}

// whyNoLoss says why nothing is known of lost data, and what to do about it.
func (s *State) whyNoLoss() string {
	if len(s.Plan.Canaries) == 0 {
		service := "NAME"
		if len(s.Plan.Covers) > 0 {
			service = s.Plan.Covers[0]
		}
		return fmt.Sprintf("no canary wrote, so nothing is known of lost data; add one to belay.yaml as services.%s.canary, "+
			"or to a service that needs it", service)
	}
	if s.Measured != nil && s.Measured.LossWhy != "" {
		return s.Measured.LossWhy
	}
	return "the canary's rows were not read back, so nothing is known of lost data"
}

func relapses(n int) string {
	if n == 1 {
		return "1 relapse"
	}
	return fmt.Sprintf("%d relapses", n)
}

func between(b measure.Bounds) string {
	lower, upper := b.Lower.Round(time.Millisecond), b.Upper.Round(time.Millisecond)
	if b.Censored {
		return fmt.Sprintf("at least %s", lower)
	}
	return fmt.Sprintf("between %s and %s", lower, upper)
}

// procedure says whether the playbook was followed.
func (s *State) procedure() Procedure {
	switch {
	case len(s.Deviations) > 0:
		return Deviated
	case s.Stop != nil || s.Broken != "" || s.RecoveryFailed != "" || s.TestFailed != "" || s.Incomplete != "" || s.Ending:
		return Incomplete
	}
	return Followed
}

// attribution says what brought the service back: the platform when it answered before anybody did anything, the reversal
// when it failed until the fault was taken back or ended by its limit, the procedure otherwise. Empty when it did not come back.
func (s *State) attribution() string {
	m := s.Measured
	switch {
	case m == nil || m.Censored || m.Seen && m.RelapseCensored:
		return ""
	case !m.Seen:
		if s.Fault.Confirmed {
			return string(byPlatform)
		}
		return ""
	}
	oneShot := s.Fault.Status != nil && s.Fault.Status.Class == fault.OneShot
	if s.Fault.Released && !oneShot && m.EndHigh > s.Fault.ReleasedAt || s.reversedByLimit() && m.EndHigh > s.Fault.EndedAt {
		return string(byReversal)
	}
	if acted, ok := s.firstAction(); !ok || m.EndHigh <= acted {
		return string(byPlatform)
	}
	return string(byProcedure)
}
