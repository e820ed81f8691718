package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
)

// notRecorded is the reason for a criterion whose evidence this version of Belay has no record of.
const notRecorded = "this version of Belay cannot record it yet"

// stage2 is: each critical dependency fails in a non-production environment, and people hear of it.
func (a *assessor) stage2() []Criterion {
	production := false
	return []Criterion{
		a.eachCritical(Criterion{
			ID: "critical-dependency-exercises", Stage: 2,
			Title: "Each critical dependency has failed in a non-production exercise",
		},
			want{modes: anyMode(), production: &production, fidelity: "network", age: a.policy.Exercise}, playbook.NonProduction, exercise.Guided),
		{
			ID: "results-published", Stage: 2, State: Unmet, Title: "Results are published to the team and the stakeholders",
			Why: "no results were recorded as published; " + notRecorded, Next: "send the exercise's results to the team and the stakeholders: belay exercise show ID",
		},
	}
}

// stage3 is: regularly, visibly, and once in production.
func (a *assessor) stage3() []Criterion {
	production := true
	scenarios := a.pb.Scenarios.IDs()
	held := a.exercised(want{scenarios: scenarios, modes: anyMode(), production: &production, age: a.policy.Exercise})
	if held.proof == "" {
		held.why = "no exercise in production"
	}
	return []Criterion{
		a.cadence(),
		{
			ID: "dashboards", Stage: 3, State: Unmet, Title: "Results are on a dashboard that shows resiliency over time",
			Why: "no export of results was recorded; " + notRecorded, Next: "keep the output of belay exercise list --json where the team looks",
		},
		{
			ID: "production-exercise", Stage: 3, State: held.state, Title: "At least one exercise has passed in production", fixed: true,
			Evidence: appendProof(nil, held.proof), Why: held.why, Next: a.runCommand(first(scenarios), playbook.Production, exercise.Guided),
		},
	}
}

// stage4 is: by itself in non-production, and the failover nearly so.
func (a *assessor) stage4() []Criterion {
	scenarios := a.ofClass(playbook.DisasterRecovery)
	failover := a.exercised(want{scenarios: scenarios, modes: []exercise.Mode{exercise.Assisted, exercise.Automatic}, age: a.policy.Exercise})
	if failover.proof == "" {
		failover.why = "no assisted or automatic exercise of a disaster recovery scenario"
	}
	automatic := 0
	for _, r := range a.exercises {
		if r.Mode == exercise.Automatic && !r.Production && r.Verdict == exercise.Pass {
			automatic++
		}
	}
	return []Criterion{
		{
			ID: "automated-non-production", Stage: 4, State: Unmet, Title: "Resiliency tests start by themselves in a non-production environment", fixed: true,
			Why:  fmt.Sprintf("%s passed in automatic mode, but nothing shows that a machine started one; %s", count(automatic, "exercise"), notRecorded),
			Next: a.runCommand(first(a.pb.Scenarios.IDs()), playbook.NonProduction, exercise.Automatic),
		},
		{
			ID: "semi-automated-failover", Stage: 4, State: failover.state, Title: "Disaster recovery needs people only to confirm", fixed: true,
			Evidence: appendProof(nil, failover.proof), Why: failover.why, Next: a.runCommand(first(scenarios), playbook.NonProduction, exercise.Assisted),
		},
	}
}

// stage5 is: in the build, and in production by itself.
func (a *assessor) stage5() []Criterion {
	production := true
	return []Criterion{
		{
			ID: "ci-integration", Stage: 5, State: Unmet, Title: "Resiliency tests run in the build", fixed: true,
			Why: "no exercise is tied to a build; " + notRecorded, Next: "run belay exercise run in the build, in automatic mode",
		},
		{
			ID: "build-fails", Stage: 5, State: Unmet, Title: "A resiliency failure has been seen to fail the build", fixed: true,
			Why: "no build was recorded as failed by a resiliency test; " + notRecorded, Next: "let the build end with the exit code of belay exercise run",
		},
		a.eachCritical(Criterion{ID: "automated-production", Stage: 5, Title: "Resiliency tests and failover run automatically in production"},
			want{modes: []exercise.Mode{exercise.Automatic}, production: &production, fidelity: "network", age: a.policy.Cadence},
			playbook.Production, exercise.Automatic),
	}
}

// eachCritical wants an exercise for each critical service. Where data can be lost, the loss must have been measured.
func (a *assessor) eachCritical(c Criterion, w want, kind playbook.EnvironmentKind, mode exercise.Mode) Criterion {
	c.State, c.fixed = Met, true
	var good, bad []string
	for _, service := range a.critical() {
		w.scenarios = a.covering(service)
		s := a.exercised(w)
		c.Evidence = appendProof(c.Evidence, s.proof)
		if s.state == Met {
			good = append(good, service)
			continue
		}
		if len(w.scenarios) == 0 {
			s.why = "no scenario covers it"
		}
		bad = append(bad, service+": "+s.why)
		if better(c.State, s.state) {
			c.State = s.state
		}
		if c.Next == "" {
			c.Next = a.runCommand(first(w.scenarios), kind, mode)
		}
	}
	switch {
	case len(bad) > 0:
		c.Why = enumerate(bad)
	case len(good) == 0:
		c.State, c.Why, c.Next = Unmet, "no service is critical", "state critical for each service in belay.yaml"
	default:
		c.Why = strings.Join(good, ", ")
	}
	return c
}

// intervals is how many times in a row the cadence must have been kept.
const intervals = 3

// cadence looks at all runs of a scenario that were valid, passed or not: what counts here is that the team practises.
func (a *assessor) cadence() Criterion {
	c := Criterion{
		ID: "cadence", Stage: 3, State: Met, fixed: true,
		Title: fmt.Sprintf("Each scenario is exercised at least every %s", days(a.policy.Cadence)),
	}
	var bad []string
	for _, scenario := range a.pb.Scenarios.IDs() {
		runs := slices.DeleteFunc(slices.Clone(a.exercises), func(r run) bool {
			return r.Scenario != scenario || r.Verdict == exercise.Invalid || r.Mode == exercise.Tabletop
		})
		why := a.lapse(runs)
		if why == "" {
			for _, r := range runs[len(runs)-intervals-1:] {
				c.Evidence = appendProof(c.Evidence, r.id)
			}
			continue
		}
		bad = append(bad, scenario+": "+why)
		c.State = Unmet
		if c.Next == "" {
			c.Next = a.runCommand(scenario, playbook.NonProduction, exercise.Guided)
		}
	}
	c.Why = fmt.Sprintf("each scenario has kept it %d times in a row", intervals)
	if len(bad) > 0 {
		c.Why = enumerate(bad)
	} else if len(a.pb.Scenarios) == 0 {
		c.State, c.Why, c.Next = Unmet, "there is no scenario", "write one under scenarios/"
	}
	return c
}

// lapse says how the runs break the cadence, or nothing.
func (a *assessor) lapse(runs []run) string {
	if len(runs) == 0 {
		return "never exercised"
	}
	next := a.now
	for i, r := range slices.Backward(runs) {
		if gap := next.Sub(r.at); gap > a.policy.Cadence {
			if i == len(runs)-1 {
				return fmt.Sprintf("last exercised on %s", date(r.at))
			}
			return fmt.Sprintf("%s between %s and %s", days(gap), date(r.at), date(next))
		}
		if i == len(runs)-1-intervals {
			return ""
		}
		next = r.at
	}
	return fmt.Sprintf("%s so far, %d are needed in a row", count(len(runs), "exercise"), intervals+1)
}

// first is the first scenario, or a place holder for one.
func first(scenarios []string) string {
	if len(scenarios) == 0 {
		return "SCENARIO"
	}
	return scenarios[0]
}
