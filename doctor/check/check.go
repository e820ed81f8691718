// Package check is the doctor's visit: it looks at the playbook, at what the services answer now, at what the recovery
// relies on, and at this machine, and says what would make an exercise unsafe or unmeasurable.
//
// It changes nothing but a file that it makes in the state directory and removes again. It never runs a step of a
// procedure: a program is looked for, not started. The checks of assumptions are run, for they only look.
// Start at Run.
package check

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
)

// Deps are what the doctor needs of the world. Zero fields are left out or take the real thing, as said at each.
type Deps struct {
	// State is the directory that evidence is kept in; it need not exist yet. Empty means that it is not looked at.
	State string
	// Clock is the machine's when nil.
	Clock clock.Clock
	// Records reads the whole ledger. Nil means that it is not looked at.
	Records func(ctx context.Context) ([]evidence.Record, error)
	// Held describes each fault that is held on this machine. Nil means that it is not looked at.
	Held func(ctx context.Context) ([]string, error)
	// Decode makes a prober; probe.Decode when nil.
	Decode func(family, kind string, raw json.RawMessage) (probe.Prober, error)
	// LookPath finds a program; exec.LookPath when nil.
	LookPath func(program string) (string, error)
	// Timeout bounds each question that the playbook does not bound; 3 s when zero.
	Timeout time.Duration
}

// Run looks at everything and returns what it found. It always returns a report: what could not be looked at is a finding.
func Run(ctx context.Context, pb *playbook.Playbook, environment string, deps Deps) doctor.Report {
	v := newVisit(pb, environment, deps)
	if v.env == nil {
		v.look(doctor.AreaPlaybook, "", func() *doctor.Finding {
			return blocker("environment."+environment,
				"an environment of the playbook: "+strings.Join(pb.Environments.IDs(), ", "), fmt.Sprintf("%q", environment),
				"nothing is bound to it, so no step could be carried out",
				"name one of the environments with --env")
		})
	} else {
		v.playbook()
		v.services(ctx)
		v.assumptions(ctx)
		v.procedures()
	}
	v.machine(ctx)
	return v.report()
}

// visit collects the checks of one report. Checks run at the same time; their order in the report is that of the calls.
type visit struct {
	pb          *playbook.Playbook
	environment string
	env         *playbook.Environment
	deps        Deps

	running sync.WaitGroup
	checks  []*made
}

// made is one check that was made, and what it found.
type made struct {
	area    string
	service string
	found   *doctor.Finding
}

func newVisit(pb *playbook.Playbook, environment string, deps Deps) *visit {
	if deps.Clock == nil {
		deps.Clock = clock.System{}
	}
	if deps.Decode == nil {
		deps.Decode = probe.Decode
	}
	if deps.LookPath == nil {
		deps.LookPath = exec.LookPath
	}
	if deps.Timeout == 0 {
		deps.Timeout = 3 * time.Second
	}
	v := &visit{pb: pb, environment: environment, deps: deps}
	v.env, _ = pb.Environments.Get(environment)
	return v
}

// look makes one check, in a goroutine of its own. The check returns nil when all is well.
func (v *visit) look(area, service string, check func() *doctor.Finding) {
	m := &made{area: area, service: service}
	v.checks = append(v.checks, m)
	v.running.Go(func() { m.found = check() })
}

// report waits for all checks. Findings are in the order of areas, blockers first.
func (v *visit) report() doctor.Report {
	v.running.Wait()
	r := doctor.Report{Environment: v.environment, Findings: []doctor.Finding{}, Checks: len(v.checks)}
	for _, area := range doctor.Areas() {
		for _, severity := range []doctor.Severity{doctor.Blocker, doctor.Risk} {
			for _, m := range v.checks {
				if m.area == area && m.found != nil && m.found.Severity == severity {
					f := *m.found
					f.Area, f.Service = area, m.service
					r.Findings = append(r.Findings, f)
				}
			}
		}
	}
	r.Counts = v.counts()
	r.Verdict = doctor.Judge(r.Checks, r.Findings)
	return r
}

// counts has a row for each service, in the playbook's order, then one for the application.
func (v *visit) counts() []doctor.Count {
	var counts []doctor.Count
	for _, service := range append(v.pb.Services.IDs(), "") {
		for _, area := range doctor.Areas() {
			c := doctor.Count{Service: service, Area: area}
			for _, m := range v.checks {
				if m.area != area || m.service != service {
					continue
				}
				c.Checks++
				if m.found != nil && m.found.Severity == doctor.Blocker {
					c.Blockers++
				}
				if m.found != nil && m.found.Severity == doctor.Risk {
					c.Risks++
				}
			}
			if c.Checks > 0 {
				counts = append(counts, c)
			}
		}
	}
	return counts
}

func blocker(id, expected, seen, why, fix string) *doctor.Finding {
	return &doctor.Finding{ID: id, Severity: doctor.Blocker, Expected: expected, Seen: seen, Why: why, Fix: fix}
}

func risk(id, expected, seen, why, fix string) *doctor.Finding {
	return &doctor.Finding{ID: id, Severity: doctor.Risk, Expected: expected, Seen: seen, Why: why, Fix: fix}
}

// value is what a placeholder stands for now. Later is true for what only an exercise knows.
func (v *visit) value(name string) (value string, later, ok bool) {
	if text, found := v.env.Vars.Get(name); found {
		return *text, false, true
	}
	if slices.Contains(playbook.Builtins(), name) || v.captured(name) {
		return "", true, true
	}
	if _, found := v.env.Secrets.Get(name); found {
		return "", true, true
	}
	return "", false, false
}

// captured says whether some step or binding here sets the name.
func (v *visit) captured(name string) bool {
	for _, row := range v.pb.Actions {
		if b, ok := row.Value.Bindings.Get(v.environment); ok && slices.Contains(b.Capture.IDs(), name) {
			return true
		}
	}
	found := false
	v.eachStep(func(_ string, _ string, step *playbook.Step) {
		found = found || slices.Contains(step.Capture.IDs(), name)
	})
	return found
}

// ask asks a probe or check once. Later is true when its text needs what only an exercise knows; then nothing is asked.
func (v *visit) ask(ctx context.Context, family string, spec *playbook.Spec, timeout time.Duration) (a probe.Answer, later bool, err error) {
	var missing []string
	expanded, err := spec.Expand(func(name string) (string, bool) {
		value, unknownYet, ok := v.value(name)
		later = later || unknownYet
		if !ok {
			missing = append(missing, name)
		}
		return value, ok
	})
	if err != nil {
		return probe.Answer{}, false, err
	}
	if later && len(missing) == 0 {
		return probe.Answer{}, true, nil
	}
	raw, err := json.Marshal(expanded.Config)
	if err != nil {
		return probe.Answer{}, false, err
	}
	prober, err := v.deps.Decode(family, expanded.Kind, raw)
	if err != nil {
		return probe.Answer{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return prober.Probe(ctx), false, nil
}

// seen says in one line what a probe saw.
func seen(a probe.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case a.Outcome == measure.OK:
		return "ok"
	case a.Reason != "":
		return a.Reason
	default:
		return string(a.Outcome)
	}
}
