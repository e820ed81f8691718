package check_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/doctor/check"
	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
)

// healthy is a playbook in which the doctor finds nothing. URL stands for a service that answers.
const healthy = `
application: shop
environments:
  staging:
    kind: non-production
    vars: {api: URL, program: sh}
  production:
    kind: production
    vars: {api: URL, program: sh}
    identity: {account: shop}
    approvals: {count: 1}
services:
  api:
    critical: always
    rto: 1h
    rpo: 1h
    probes:
      home: {http: "${api}/"}
      other: {http: "${api}/other"}
    canary: {http: {url: "${api}/rows", body: '{"name": "{marker}"}', field: $.name}}
people:
  ann: {roles: [development, testing, operations, stakeholder], available: on-call, phone: "1"}
actions:
  restart:
    text: Restart it
    expect: {http: "${api}/"}
    staging: {run: ["${program}", restart]}
    production: {run: ["${program}", restart], where: "ssh://host"}
`

const scenario = `
scenario: The API fails
class: disaster-recovery
covers: [api]
leads: {primary: ann}
severity: critical
rto: 1h
rpo: 1h
assumptions:
  - {text: The network works, check: {http: "${api}/network"}}
  - {text: Backups are made}
recovery:
  - {id: restart, use: restart, capture: {instance: {}}}
  - {id: tell, run: [sh, "${instance}", "${exercise}"]}
test:
  - {id: works, check: {http: "${api}/"}}
`

// world is what the doctor sees, changed by each test.
type world struct {
	main     string
	scenario string
	env      string
	down     []string // paths that do not answer
	deps     check.Deps
}

// slowClock makes each question take a fixed time.
type slowClock struct {
	clock.System
	now  time.Time
	took time.Duration
	at   *atomic.Int64
}

func (c slowClock) Now() time.Time { return c.now }
func (c slowClock) Boot() time.Duration {
	return time.Duration(c.at.Add(int64(c.took)))
}

func visit(t *testing.T, change func(*world)) doctor.Report {
	t.Helper()
	w := &world{main: healthy, scenario: scenario, env: "staging"}
	w.deps = check.Deps{
		State:    filepath.Join(t.TempDir(), ".belay"),
		Records:  func(context.Context) ([]evidence.Record, error) { return nil, nil },
		Held:     func(context.Context) ([]string, error) { return nil, nil },
		LookPath: func(name string) (string, error) { return "/bin/" + name, nil },
	}
	if change != nil {
		change(w)
	}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if slices.Contains(w.down, r.URL.Path) {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Method != http.MethodGet {
			t.Errorf("the doctor changes something: %s %s", r.Method, r.URL.Path)
		}
		rw.Write([]byte("[]"))
	}))
	defer web.Close()
	pb, err := playbook.Load(fstest.MapFS{
		"belay.yaml":          {Data: []byte(strings.ReplaceAll(w.main, "URL", web.URL))},
		"scenarios/down.yaml": {Data: []byte(w.scenario)},
	}, playbook.Kinds{"probe": probe.Kinds(), "check": probe.Checks(), "canary": canary.Kinds()})
	if err != nil {
		t.Fatal(err)
	}
	return check.Run(t.Context(), pb, w.env, w.deps)
}

func TestClear(t *testing.T) {
	for _, env := range []string{"staging", "production"} {
		r := visit(t, func(w *world) { w.env = env })
		if r.Verdict != doctor.Clear || len(r.Findings) != 0 || r.Checks < 8 || r.Environment != env {
			t.Errorf("%s: %+v", env, r)
		}
		sum := 0
		for _, c := range r.Counts {
			sum += c.Checks
		}
		if sum != r.Checks {
			t.Errorf("%s: the counts have %d checks, the report %d", env, sum, r.Checks)
		}
	}
}

// TestFindings changes one thing each and wants exactly the finding that belongs to it.
func TestFindings(t *testing.T) {
	program := func(w *world, name string) {
		w.deps.LookPath = func(n string) (string, error) {
			if n == name {
				return "", fmt.Errorf("exec: %q: %w", n, errors.New("executable file not found in $PATH"))
			}
			return "/bin/" + n, nil
		}
	}
	set := func(clk slowClock) func(*world) {
		return func(w *world) {
			clk.at = new(atomic.Int64)
			w.deps.Clock = clk
		}
	}
	year := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		change func(*world)
		want   []string // "ID severity service: part of seen"
	}{
		{"a deciding probe fails", func(w *world) { w.down = []string{"/"} }, []string{"probe.api.home blocker api: 503"}},
		{"another probe fails", func(w *world) { w.down = []string{"/other"} }, []string{"probe.api.other risk api: 503"}},
		{"the canary has no rows", func(w *world) { w.down = []string{"/rows"} }, []string{"canary.api blocker api: 503"}},
		{"an assumption does not hold", func(w *world) { w.down = []string{"/network"} }, []string{"assumption.down.1 blocker api: 503"}},
		{"a program is missing", func(w *world) {
			w.main = strings.ReplaceAll(healthy, "program: sh", "program: restarter")
			program(w, "restarter")
		}, []string{"program.scenarios.down.recovery.restart blocker api: executable file not found"}},
		{"the program of an optional step is missing", func(w *world) {
			w.scenario = strings.ReplaceAll(scenario, "{id: restart, use: restart,", "{id: restart, optional: true, run: [restarter],")
			w.scenario = strings.ReplaceAll(w.scenario, ", run: [sh, \"${instance}\", \"${exercise}\"]", ", run: [sh]")
			program(w, "restarter")
		}, []string{"program.scenarios.down.recovery.restart risk api: executable file not found"}},
		{"a program is missing here and the step runs elsewhere", func(w *world) {
			w.env = "production"
			w.main = strings.ReplaceAll(healthy, "program: sh", "program: restarter")
			program(w, "restarter")
		}, nil},
		{"an action is not bound", func(w *world) {
			w.main = strings.ReplaceAll(healthy, `    staging: {run: ["${program}", restart]}`+"\n", "")
		}, []string{"binding.scenarios.down.recovery.restart blocker api: none"}},
		{"a variable is missing here", func(w *world) {
			w.main = strings.ReplaceAll(healthy, "    identity:", "    vars: {api: URL, program: sh, only: there}\n    identity:")
			w.main = strings.ReplaceAll(w.main, "    kind: production\n    vars: {api: URL, program: sh}\n", "    kind: production\n")
			w.scenario = strings.ReplaceAll(scenario, `"${exercise}"]`, `"${only}"]`)
		}, []string{"variable.scenarios.down.recovery.tell blocker api: ${only}"}},
		{"production has no identity", func(w *world) {
			w.env = "production"
			w.main = strings.ReplaceAll(healthy, "    identity: {account: shop}\n", "")
		}, []string{"identity.production blocker : none"}},
		{"lint blocks", func(w *world) {
			w.scenario = strings.ReplaceAll(scenario, `{id: works, check: {http: "${api}/"}}`, "{id: works, manual: Look at it}")
		}, []string{"lint.L309.scenarios.down.test blocker : scenarios/down.yaml:"}},
		{"there is no such environment", func(w *world) { w.env = "stagng" }, []string{`environment.stagng blocker : "stagng"`}},
		{"the state directory cannot be made", func(w *world) { w.deps.State = "/proc/nothing/here/.belay" }, []string{"state blocker : "}},
		{"a fault is held", func(w *world) {
			w.deps.Held = func(context.Context) ([]string, error) { return []string{"f1, process 12"}, nil }
		}, []string{"held blocker : 1: f1, process 12"}},
		{"faults cannot be listed", func(w *world) {
			w.deps.Held = func(context.Context) ([]string, error) { return nil, errors.New("list faults: no permission") }
		}, []string{"held blocker : no permission"}},
		{"the ledger cannot be read", func(w *world) {
			w.deps.Records = func(context.Context) ([]evidence.Record, error) { return nil, errors.New("open ledger: locked") }
		}, []string{"ledger blocker : locked"}},
		{"the ledger was edited", func(w *world) {
			w.deps.Records = func(context.Context) ([]evidence.Record, error) {
				return []evidence.Record{{Seq: 1, ID: "x", Hash: "00"}}, nil
			}
		}, []string{"ledger blocker : "}},
		{"the clock is not set", set(slowClock{now: time.Unix(0, 0)}), []string{"clock blocker : 1970"}},
		{"the clock goes back", set(slowClock{now: year, took: -time.Second}), []string{"clock blocker : it went back"}},
		{
			"the services are slow", set(slowClock{now: year, took: 2500 * time.Millisecond}),
			[]string{"probe.api.home risk api: after ", "probe.api.other risk api: after "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := visit(t, test.change)
			if len(r.Findings) != len(test.want) {
				t.Fatalf("%d findings, want %d: %+v", len(r.Findings), len(test.want), r.Findings)
			}
			blocked := false
			for i, f := range r.Findings {
				id, rest, _ := strings.Cut(test.want[i], " ")
				about, seen, _ := strings.Cut(rest, ": ")
				blocked = blocked || f.Severity == doctor.Blocker
				if f.ID != id || fmt.Sprintf("%s %s", f.Severity, f.Service) != about || !strings.Contains(f.Seen, seen) {
					t.Errorf("found %s %s %s: %s, want %s", f.ID, f.Severity, f.Service, f.Seen, test.want[i])
				}
				if f.Area == "" || f.Expected == "" || f.Why == "" || f.Fix == "" {
					t.Errorf("a finding says too little: %+v", f)
				}
			}
			if (r.Verdict == doctor.Blocked) != blocked {
				t.Errorf("the verdict is %s", r.Verdict)
			}
		})
	}
}

// TestChangesNothing wants the state directory to be as it was.
func TestChangesNothing(t *testing.T) {
	state := t.TempDir()
	visit(t, func(w *world) { w.deps.State = state })
	left, err := os.ReadDir(state)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestJSON pins the contract of `belay doctor --json`.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(visit(t, func(w *world) { w.down = []string{"/other"} }))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got["verdict"] != "clear with risks" {
		t.Errorf("verdict: %v", got["verdict"])
	}
	finding, _ := got["findings"].([]any)[0].(map[string]any)
	for _, key := range []string{"id", "area", "service", "severity", "expected", "seen", "why", "fix"} {
		if _, ok := finding[key]; !ok {
			t.Errorf("a finding has no %q: %v", key, finding)
		}
	}
}
