package stage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
)

// want is what an exercise must be to count.
type want struct {
	scenarios []string
	modes     []exercise.Mode
	// production says in which kind of environment; nil means in any.
	production *bool
	// fidelity is the least that counts; empty means any.
	fidelity string
	// age is how old it may be.
	age time.Duration
}

// anyMode is every mode in which something is really done.
func anyMode() []exercise.Mode {
	return []exercise.Mode{exercise.Guided, exercise.Assisted, exercise.Automatic}
}

func (w want) matches(r run) bool {
	return slices.Contains(w.scenarios, r.Scenario) && slices.Contains(w.modes, r.Mode) &&
		(w.production == nil || *w.production == r.Production) && fidelityRank(r.Fault.Fidelity) >= fidelityRank(w.fidelity)
}

func fidelityRank(f string) int {
	return slices.Index([]string{"signal", "network", "process", "host", "zone", "region", "data"}, f)
}

// exercised is how the application stands to a wanted exercise: the best of all runs, the latest among equals.
func (a *assessor) exercised(w want) standing {
	best := standing{state: Unmet, why: "no exercise of " + strings.Join(w.scenarios, ", ")}
	counted := false
	for _, r := range a.exercises {
		if !w.matches(r) {
			continue
		}
		if now := a.judgeRun(r, w.age); !counted || !better(best.state, now.state) {
			best, counted = now, true
		}
	}
	return best
}

// judgeRun says what a run is worth now. Its verdict is never changed for the better; it can lapse, and a tightened
// objective is held against the bounds that were measured.
func (a *assessor) judgeRun(r run, age time.Duration) standing {
	what := fmt.Sprintf("%s on %s", r.Scenario, date(r.at))
	unmet := func(format string, args ...any) standing {
		return standing{state: Unmet, proof: r.id, why: what + fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Verdict != exercise.Pass:
		return unmet(" was %s: %s", r.Verdict, r.Why)
	case r.Grade != string(evidence.Measured):
		return unmet(" passed, but its numbers are only %s", r.Grade)
	}
	if changes, err := a.closureChanges(r); err != nil {
		return standing{state: Stale, proof: r.id, why: fmt.Sprintf("%s: %v", what, err)}
	} else if changes != "" {
		return standing{state: Stale, proof: r.id, why: fmt.Sprintf("changed since the exercise of %s: %s", what, changes)}
	}
	if a.now.Sub(r.at) > age {
		return standing{state: Expired, proof: r.id, why: fmt.Sprintf("%s is more than %s ago", what, days(age))}
	}
	if why := a.misses(r); why != "" {
		return unmet(" %s", why)
	}
	return standing{state: Met, proof: r.id, why: fmt.Sprintf("%s passed: %s", what, outage(r))}
}

// closure is what an exercise of the scenario in the environment proves, as the playbook is now.
type closure struct {
	parts playbook.Parts
	err   error
}

func (a *assessor) closure(scenario, environment string) (playbook.Parts, error) {
	key := [2]string{scenario, environment}
	c, ok := a.closures[key]
	if !ok {
		c.parts, c.err = playbook.Closure(a.pb, scenario, environment)
		a.closures[key] = c
	}
	return c.parts, c.err
}

// closureChanges names what the run proved and is no longer so. Objectives are left out, because they are judged anew, and
// so are severity and leads, which people agree on and no exercise proves.
func (a *assessor) closureChanges(r run) (string, error) {
	current, err := a.closure(r.Scenario, r.Environment)
	if err != nil {
		return "", err
	}
	if playbook.Parts(r.Parts).Digest() != r.Digests["closure"] {
		return "", fmt.Errorf("its record does not fit its own digest")
	}
	changes := slices.DeleteFunc(playbook.Diff(r.Parts, current), func(c playbook.Change) bool {
		return slices.ContainsFunc([]string{".rto", ".rpo", ".severity", ".leads"}, func(suffix string) bool {
			return strings.HasSuffix(c.Path, suffix)
		})
	})
	return describe(changes), nil
}

// misses holds the measured bounds against the scenario's objectives as they are now.
func (a *assessor) misses(r run) string {
	scenario, ok := a.pb.Scenarios.Get(r.Scenario)
	if !ok {
		return "is of a scenario that is gone"
	}
	if rto := scenario.RTO.D(); rto > 0 && !within(downUpper(r), rto) {
		return fmt.Sprintf("does not meet the RTO as it is now, %s: %s", length(rto), outage(r))
	}
	rpo := scenario.RPO.D()
	switch {
	case rpo == 0:
	case r.Loss == nil: // it passed because no RPO was stated then
		return fmt.Sprintf("had no canary, so nothing is known of lost data that could be held against the RPO as it is now, %s", length(rpo))
	case r.Loss != nil && !within(r.Loss.SpanMS.Upper, rpo):
		return fmt.Sprintf("does not meet the RPO as it is now, %s", length(rpo))
	}
	return ""
}

// downUpper is the upper bound of the outage and its relapses together, which is what an RTO is held against; nil when there is none.
func downUpper(r run) *float64 {
	if r.OutageMS.Upper == nil || r.RelapseMS == nil {
		return r.OutageMS.Upper
	}
	if r.RelapseMS.Upper == nil {
		return nil
	}
	sum := *r.OutageMS.Upper + *r.RelapseMS.Upper
	return &sum
}

// within says whether an upper bound in milliseconds is known and not above the objective.
func within(upper *float64, objective time.Duration) bool {
	return upper != nil && *upper <= float64(objective)/float64(time.Millisecond)
}

func outage(r run) string {
	if r.OutageMS.Upper == nil {
		return fmt.Sprintf("outage of at least %s", length(ms(r.OutageMS.Lower)))
	}
	text := fmt.Sprintf("outage between %s and %s", length(ms(r.OutageMS.Lower)), length(ms(*r.OutageMS.Upper)))
	if upper := downUpper(r); r.Relapses > 0 && upper != nil {
		text += fmt.Sprintf(", with relapses up to %s", length(ms(*upper)))
	}
	return text
}

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

// length shows a duration as people write it.
func length(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(d.Round(time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d%day == 0:
		return days(d)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return d.Round(time.Second).String()
}

func days(d time.Duration) string { return count(int(d/day), "day") }

// ofClass are the scenarios of a class.
func (a *assessor) ofClass(class playbook.Class) []string {
	var ids []string
	for _, s := range a.pb.Scenarios {
		if s.Value.Class == class {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (a *assessor) failoverExercise() Criterion {
	scenarios := a.ofClass(playbook.DisasterRecovery)
	c := Criterion{ID: "failover-exercise", Stage: 1, Title: "An exercise has validated the disaster recovery playbook", fixed: true}
	if len(scenarios) == 0 {
		c.State, c.Why, c.Next = Unmet, "no scenario has class disaster-recovery", "write one under scenarios/"
		return c
	}
	s := a.exercised(want{scenarios: scenarios, modes: anyMode(), age: a.policy.Exercise})
	c.State, c.Why, c.Evidence = s.state, s.why, appendProof(nil, s.proof)
	c.Next = a.runCommand(scenarios[0], playbook.NonProduction, exercise.Guided)
	return c
}

// runCommand is the command that runs an exercise in the first environment of a kind.
func (a *assessor) runCommand(scenario string, kind playbook.EnvironmentKind, mode exercise.Mode) string {
	environment := "NAME"
	for _, e := range a.pb.Environments {
		if e.Value.Kind == kind {
			environment = e.ID
			break
		}
	}
	return fmt.Sprintf("belay exercise run %s --env %s --mode %s", scenario, environment, mode)
}
