package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The main job: `belay demo --json` breaks the Bookstore three times, recovers it, and stands on stage 1.
func TestDemo(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	o := w.want(0, "demo", "--json", "--dir", w.dir)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("took %v, at most one minute", took)
	}
	demo := decode[demonstration](w, o)

	if demo.Stage == nil || *demo.Stage != 1 {
		t.Errorf("stage %v, want 1: %+v", demo.Stage, demo.Criteria)
	}
	names := []string{"api-failure", "database-failure", "cdn-failure"}
	if len(demo.Exercises) != len(names) {
		t.Fatalf("%d exercises, want %d", len(demo.Exercises), len(names))
	}
	for i, e := range demo.Exercises {
		if e.Scenario != names[i] {
			t.Errorf("exercise %d is %s, want %s", i, e.Scenario, names[i])
		}
		checkPassed(t, e)
		rows := 0
		if e.Loss == nil || e.Loss.Rows == nil {
			t.Errorf("%s: no loss: was there no canary?", e.Scenario)
			continue
		}
		rows = *e.Loss.Rows
		if lost := e.Scenario == "database-failure"; lost != (rows > 0) {
			t.Errorf("%s: %d rows lost", e.Scenario, rows)
		}
		if rows > 0 && (len(e.Loss.SpanMS) != 2 || e.Loss.SpanMS[1] == nil || *e.Loss.SpanMS[1] <= 0) {
			t.Errorf("%s: %d rows lost without a span", e.Scenario, rows)
		}
	}
	met := map[int]int{}
	for _, c := range demo.Criteria {
		if c.State == "met" {
			met[c.Stage]++
			if len(c.Evidence) == 0 && c.Why == "" {
				t.Errorf("criterion %s is met by nothing", c.ID)
			}
		} else if c.Next == "" {
			t.Errorf("criterion %s is %s without a next action", c.ID, c.State)
		}
	}
	if met[1] == 0 || !slices.ContainsFunc(demo.Criteria, func(c criterion) bool { return c.Stage == 5 }) {
		t.Errorf("criteria: %+v", demo.Criteria)
	}
	if demo.Ledger != filepath.Join(w.dir, ".belay", "ledger.db") {
		t.Errorf("ledger %s, want it in %s", demo.Ledger, w.dir)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
	truths := readTruths(t, w.dir)
	for _, e := range demo.Exercises {
		checkTruth(t, e, truths, service(e.Scenario))
	}
	for _, f := range decode[faults](w, w.ok("fault", "list", "--all", "--json")).Faults {
		if f.State == "held" || f.State == "armed" || f.State == "failed" {
			t.Errorf("a fault is left: %+v", f)
		}
	}
}

// Without --dir the demo cleans up after itself, and a person sees a table.
func TestDemoForPeople(t *testing.T) {
	w := newWorld(t)
	tmp := filepath.Join(filepath.Dir(w.dir), "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "TMPDIR="+tmp)
	o := w.ok("demo")
	for _, word := range []string{"api-failure", "database-failure", "cdn-failure", "PASS"} {
		if !slices.Contains(strings.Fields(o.stdout), word) {
			t.Errorf("the output does not say %q:\n%s", word, o)
		}
	}
}

// checkPassed looks at everything that a passed exercise must say.
func checkPassed(t *testing.T, e exercise) {
	t.Helper()
	if e.Verdict != "PASS" || e.Objective != "met" || e.Procedure != "followed" || e.Attribution != "procedure" {
		t.Errorf("%s: verdict %s (%s), objective %s, procedure %s, attribution %s",
			e.Scenario, e.Verdict, e.Why, e.Objective, e.Procedure, e.Attribution)
	}
	if len(e.OutageMS) != 2 || e.OutageMS[0] == nil || e.OutageMS[1] == nil ||
		*e.OutageMS[0] <= 0 || *e.OutageMS[0] > *e.OutageMS[1] {
		t.Errorf("%s: outage %v is no interval", e.Scenario, e.OutageMS)
	}
	for _, part := range []string{"detect", "declare", "decide", "execute", "verify", "stabilise"} {
		if ms, there := e.SplitMS[part]; !there {
			t.Errorf("%s: the split has no %s", e.Scenario, part)
		} else if ms != nil && *ms < 0 {
			t.Errorf("%s: %s took %v ms", e.Scenario, part, *ms)
		}
	}
	if e.RTOMS == nil || *e.RTOMS <= 0 || e.RPOMS == nil || *e.RPOMS <= 0 {
		t.Errorf("%s: no objectives", e.Scenario)
	}
	if e.ID == "" || e.Environment != "staging" || e.Mode != "automatic" {
		t.Errorf("%s: id %q, environment %q, mode %q", e.Scenario, e.ID, e.Environment, e.Mode)
	}
}
