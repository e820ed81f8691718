package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
)

// lintBlockers are the findings that make an exercise unsafe or unmeasurable.
func lintBlockers(pb *playbook.Playbook) []string {
	blockers := []string{}
	for _, f := range lint.Check(pb) {
		if f.Severity == lint.Blocker {
			blockers = append(blockers, f.Message)
		}
	}
	return blockers
}

// prerequisites are what has to be written down before the climb begins, with the observability of the check-up.
func (a *assessor) prerequisites() []Criterion {
	criteria := []Criterion{
		a.observability(),
		a.criticalDependencies(),
		a.nonCriticalDependencies(),
		a.drPlaybook(),
		a.criticalPlaybooks(),
		a.thresholds(),
		a.lintClean(),
	}
	for i := range criteria {
		criteria[i].ID = "prerequisite-" + criteria[i].ID
		// A service whose probe has been seen to answer is the only evidence among these.
		criteria[i].byPlaybook = len(criteria[i].Evidence) == 0
	}
	return criteria
}

// check makes a criterion of what is missing: it is met when nothing is.
func check(id, title string, missing []string, met, next string) Criterion {
	if len(missing) == 0 {
		return Criterion{ID: id, Title: title, State: Met, Why: met}
	}
	return Criterion{ID: id, Title: title, State: Unmet, Why: enumerate(missing), Next: next}
}

// enumerate names the first few things and counts the rest.
func enumerate(things []string) string {
	const most = 5
	if len(things) > most {
		return strings.Join(things[:most], "; ") + fmt.Sprintf("; and %d more", len(things)-most)
	}
	return strings.Join(things, "; ")
}

func (a *assessor) observability() Criterion {
	var missing, proof []string
	for _, s := range a.pb.Services {
		switch {
		case s.Value.Uses != "":
		case len(s.Value.Probes) == 0:
			missing = append(missing, s.ID+" has no probe")
		case len(s.Value.Observability) == 0:
			if id := a.answered(s.ID); id != "" {
				proof = append(proof, id)
			} else {
				missing = append(missing, s.ID+" names no metrics or logs, and its probe was not seen to answer")
			}
		}
	}
	if len(a.pb.Services) == 0 {
		missing = append(missing, "no service is written down")
	}
	c := check("observability", "Every service is seen from outside", missing,
		"every service has a probe, and metrics or a probe that was seen to answer", "add probes and observability to the services in belay.yaml")
	slices.Sort(proof)
	c.Evidence = slices.Compact(proof)
	return c
}

// answered returns the latest exercise in which the service was seen to recover.
func (a *assessor) answered(service string) string {
	for _, r := range slices.Backward(a.exercises) {
		scenario, ok := a.pb.Scenarios.Get(r.Scenario)
		_, seen := r.Versions[service]
		if seen || (ok && r.OutageMS.Upper != nil && slices.Contains(scenario.Covers, service)) {
			return r.id
		}
	}
	return ""
}

func (a *assessor) criticalDependencies() Criterion {
	var missing []string
	critical := 0
	for _, s := range a.pb.Services {
		switch s.Value.Critical.Level {
		case playbook.Always, playbook.During:
			critical++
			if s.Value.RTO == 0 && s.Value.Uses == "" {
				missing = append(missing, s.ID+" has no rto")
			}
			if s.Value.RPO == 0 && s.Value.Uses == "" {
				missing = append(missing, s.ID+" has no rpo")
			}
		case playbook.Never:
		default:
			missing = append(missing, s.ID+": criticality is unknown")
		}
	}
	if len(a.pb.Services) == 0 {
		missing = append(missing, "no service is written down")
	}
	return check("critical-dependencies", "Critical dependencies are defined", missing,
		fmt.Sprintf("%d of %d services are critical, with objectives", critical, len(a.pb.Services)),
		"state critical, rto and rpo of each service in belay.yaml")
}

func (a *assessor) nonCriticalDependencies() Criterion {
	var missing, found []string
	for _, s := range a.pb.Services {
		switch s.Value.Critical.Level {
		case playbook.Never:
			found = append(found, s.ID)
		case playbook.Always, playbook.During:
		default:
			missing = append(missing, s.ID+" may be one: its criticality is unknown")
		}
	}
	met := "there is none, and no service is unknown"
	if len(found) > 0 {
		met = strings.Join(found, ", ")
	}
	return check("non-critical-dependencies", "Non-critical dependencies are defined", missing, met,
		"state critical: always, never or a period for each service in belay.yaml")
}

func (a *assessor) drPlaybook() Criterion {
	var missing, scenarios []string
	for _, s := range a.pb.Scenarios {
		if s.Value.Class != playbook.DisasterRecovery {
			continue
		}
		scenarios = append(scenarios, s.ID)
		for what, lacks := range map[string]bool{
			"lead":     s.Value.Leads.Primary == "",
			"recovery": len(s.Value.Recovery) == 0,
			"test":     len(s.Value.Test) == 0,
		} {
			if lacks {
				missing = append(missing, fmt.Sprintf("scenario %s has no %s", s.ID, what))
			}
		}
	}
	slices.Sort(missing)
	if len(scenarios) == 0 {
		missing = append(missing, "no scenario has class disaster-recovery")
	}
	if len(a.pb.People) == 0 {
		missing = append(missing, "no contact is written down")
	}
	for _, p := range a.pb.People {
		if p.Value.Email == "" && p.Value.Phone == "" && p.Value.Slack == "" && p.Value.Rotation == nil {
			missing = append(missing, p.ID+" cannot be reached: no email, phone or slack")
		}
	}
	if len(a.pb.Notifications) == 0 {
		missing = append(missing, "no notification says who is told what, when")
	}
	return check("dr-playbook", "A disaster recovery failover playbook exists", missing,
		"contacts, notifications and procedures of "+strings.Join(scenarios, ", "), "belay lint")
}

func (a *assessor) criticalPlaybooks() Criterion {
	var missing []string
	for _, id := range a.critical() {
		if len(a.covering(id)) == 0 {
			missing = append(missing, "no scenario covers "+id)
		}
	}
	return check("critical-playbooks", "Every critical dependency has a playbook", missing,
		"every critical service is covered by a scenario", "write a scenario that covers it under scenarios/")
}

// critical are the application's own services that it cannot do without, at least at times.
func (a *assessor) critical() []string {
	var ids []string
	for _, s := range a.pb.Services {
		level := s.Value.Critical.Level
		if (level == playbook.Always || level == playbook.During) && s.Value.Uses == "" {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// covering are the scenarios of a service's failure.
func (a *assessor) covering(service string) []string {
	var ids []string
	for _, s := range a.pb.Scenarios {
		if slices.Contains(s.Value.Covers, service) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (a *assessor) thresholds() Criterion {
	var missing []string
	n := 0
	for _, s := range a.pb.Services {
		if s.Value.Critical.Level != playbook.Never {
			continue
		}
		n++
		t := s.Value.Tolerates
		if t == nil || (t.For == 0 && !strings.HasPrefix(t.Level, "unknown")) {
			missing = append(missing, s.ID+" has no threshold")
		}
	}
	met := "there is no non-critical dependency"
	if n > 0 {
		met = fmt.Sprintf("each of the %d non-critical dependencies has one", n)
	}
	return check("thresholds", "Each non-critical dependency has a threshold", missing, met,
		`add tolerates: {for: 15m, level: …} to it in belay.yaml (level: "unknown, test planned" until it is known)`)
}

func (a *assessor) lintClean() Criterion {
	c := check("lint-clean", "Lint finds no blocker", a.blockers, "no blocker", "belay lint")
	if n := len(a.blockers); n > 0 {
		c.Why = fmt.Sprintf("%s: %s", count(n, "blocker"), c.Why)
	}
	return c
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
