package exercise_test

import (
	"slices"
	"testing"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/exercisetest"
	"github.com/belay-dr/belay/playbook"
)

func clearance(t *testing.T, script string) exercise.Clearance {
	t.Helper()
	o, err := exercisetest.Run(script)
	if err != nil {
		t.Fatal(err)
	}
	return exercise.Clearance{Plan: o.Plan, Window: true, Now: o.Plan.Planned}
}

// production makes the plan one for production, with what that needs.
func production(c *exercise.Clearance, approvals ...string) {
	c.Plan.Production, c.Plan.Identity, c.Approvals = true, map[string]string{"hostname": "app-1"}, approvals
}

// TestIntent is what an approval is bound to: everything but who runs it, and when.
func TestIntent(t *testing.T) {
	plan := clearance(t, "plan automatic\na recovery run\n----\n").Plan
	plan.ID, plan.Runner = "01JD0", "bob"
	plan.Title = "exercise 01JD0"
	again := plan
	again.ID, again.Runner, again.Planned, again.Title = "01JD1", "alice", plan.Planned.AddDate(0, 0, 1), "exercise 01JD1"
	if plan.Intent() != again.Intent() || plan.Digest() == again.Digest() {
		t.Error("the intent changed with the runner, the time or the ID")
	}
	for name, change := range map[string]func(*exercise.Plan){
		"limit":       func(p *exercise.Plan) { p.Limit++ },
		"environment": func(p *exercise.Plan) { p.Environment += "x" },
		"fault":       func(p *exercise.Plan) { p.Fault = nil },
		"identity":    func(p *exercise.Plan) { p.Identity = map[string]string{"hostname": "other"} },
		"closure":     func(p *exercise.Plan) { p.Closure += "x" },
		"mode":        func(p *exercise.Plan) { p.Mode = exercise.Guided },
	} {
		changed := plan
		change(&changed)
		if changed.Intent() == plan.Intent() {
			t.Errorf("a change of the %s changes no intent", name)
		}
	}
}

func TestGuard(t *testing.T) {
	const automatic = "plan automatic\na recovery run\n----\n"
	for _, c := range []struct {
		name   string
		script string
		change func(*exercise.Clearance)
		want   []string
	}{
		{"all is well", automatic, func(*exercise.Clearance) {}, nil},
		{"lint", automatic, func(c *exercise.Clearance) { c.Blockers = []string{"L001", "L002"} }, []string{"lint", "lint"}},
		{"doctor", automatic, func(c *exercise.Clearance) {
			c.Doctor = &doctor.Report{Verdict: doctor.Blocked, Findings: []doctor.Finding{{ID: "D1", Severity: doctor.Blocker}, {ID: "D2", Severity: doctor.Risk}}}
		}, []string{"doctor"}},
		{"covers nothing", automatic, func(c *exercise.Clearance) { c.Plan.Covers = nil }, []string{"covers"}},
		{"no probe", automatic, func(c *exercise.Clearance) { c.Plan.Probes = nil }, []string{"probe"}},
		{"no fault", automatic, func(c *exercise.Clearance) { c.Plan.Fault = nil }, []string{"fault"}},
		{"held", automatic, func(c *exercise.Clearance) { c.Held = []string{"f1"} }, []string{"held"}},
		{"going on", automatic, func(c *exercise.Clearance) { c.Running = "E0" }, []string{"lock"}},
		{"window", automatic, func(c *exercise.Clearance) { c.Window = false }, []string{"window"}},
		{"freeze", automatic, func(c *exercise.Clearance) { c.Freeze = "christmas" }, []string{"freeze"}},
		{"tabletop", automatic, func(c *exercise.Clearance) { c.Plan.Mode = exercise.Tabletop }, []string{"mode"}},
		{"no such mode", automatic, func(c *exercise.Clearance) { c.Plan.Mode = "wild" }, []string{"mode"}},
		{"automatic with a manual step", "plan automatic\na recovery manual\n----\n", func(*exercise.Clearance) {}, []string{"mode"}},
		{"automatic with an optional manual step", "plan automatic\na recovery manual optional\n----\n", func(*exercise.Clearance) {}, nil},
		{"guided with a manual step", "plan guided\na recovery manual\n----\n", func(*exercise.Clearance) {}, nil},
		{"production", automatic, func(c *exercise.Clearance) { production(c) }, []string{"approvals"}},
		{"production that pins nothing", automatic, func(c *exercise.Clearance) {
			production(c, "carol")
			c.Plan.Identity = nil
		}, []string{"identity"}},
		{"elsewhere", automatic, func(c *exercise.Clearance) { c.Identity = "the host is another" }, []string{"identity"}},
		{"what is production's", automatic, func(c *exercise.Clearance) { c.Foreign = []string{"the fault names db", "it is here"} }, []string{"production", "production"}},
		{"approved by the runner alone", automatic, func(c *exercise.Clearance) {
			production(c, c.Plan.Runner)
		}, []string{"approvals"}},
		{"approved by another", automatic, func(c *exercise.Clearance) { production(c, "carol") }, nil},
		{"all at once", automatic, func(c *exercise.Clearance) { c.Window, c.Freeze, c.Running = false, "x", "E0" }, []string{"lock", "window", "freeze"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := clearance(t, c.script)
			c.change(&in)
			permit, refusals := exercise.Guard(in)
			var got []string
			for _, r := range refusals {
				got = append(got, r.Rule)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("refused by %v, want %v", got, c.want)
			}
			if len(got) == 0 && (permit.Plan != in.Plan.Digest() || permit.Exercise != in.Plan.ID || !permit.Expires.After(in.Now)) {
				t.Errorf("permit %+v does not fit the plan", permit)
			}
			if len(got) > 0 && permit.Exercise != "" {
				t.Error("it is refused and has a permit")
			}
		})
	}
}

func TestFreezeAt(t *testing.T) {
	env := playbook.Environment{Freeze: []playbook.Freeze{{From: "2026-12-20", Until: "2026-12-31", Why: "sales"}}}
	for at, want := range map[string]bool{"2026-12-19T23:59:59Z": false, "2026-12-20T00:00:00Z": true, "2026-12-31T23:00:00Z": true, "2027-01-01T00:00:00Z": false} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := exercise.FreezeAt(env, now) != ""; got != want {
			t.Errorf("freeze at %s: %v, want %v", at, got, want)
		}
	}
	env.Freeze[0].Until = "soon"
	if exercise.FreezeAt(env, time.Now()) == "" {
		t.Error("a freeze that cannot be read must count as on")
	}
}
