package exercise_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
)

// thing stands for every kind of probe, check, canary and fault.
type thing struct {
	URL string `yaml:"url" json:"url"`
}

func load(t *testing.T, files map[string]string) *playbook.Playbook {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	kind := map[string]func() any{"http": func() any { return new(thing) }}
	pb, err := playbook.Load(fsys, playbook.Kinds{"probe": kind, "check": kind, "canary": kind, "fault": kind})
	if err != nil {
		t.Fatal(err)
	}
	return pb
}

const shopPlaybook = `
application: shop
team: shop
environments:
  staging: {kind: non-production, vars: {api: "http://127.0.0.1:1"}, secrets: {db: {env: DB}}, measure: {period: 1s, timeout: 1s, window: 5s, baseline: 2s, time_box: 1m}}
services:
  api: {critical: always, rto: 1h, rpo: 1h, needs: [db], probes: {main: {http: {url: "${api}/books/"}}, other: {http: {url: "${api}/"}}}, canary: {http: {url: "${api}/canary/"}}}
  db: {critical: always, rto: 1h, rpo: 1h, probes: {main: {http: {url: "${api}/db/"}}}}
people:
  bob: {roles: [development], available: on-call}
actions:
  restart:
    text: Restart it
    expect: {http: {url: "${api}/up/"}}
    repeat: safe
    staging: {run: [restart, "${api}"], secrets: [db]}
  launch:
    text: Launch another
    staging: {run: [launch], capture: {instance: "$.id"}}
`

const apiScenario = `
scenario: The API has failed
class: disaster-recovery
covers: [api]
leads: {primary: bob}
severity: critical
rto: 1h
rpo: 1h
fault: {http: {url: "${api}/break"}}
recovery:
  - {id: which, ask: What failed?, options: {app: {goto: restart}, all: {if: {http: {url: "${api}/x"}}, goto: again}}}
  - {id: restart, use: restart, then: {ok: resume, failed: next}}
  - {id: launch, use: launch}
  - {id: attach, run: [attach, "${instance}", "$${kept}"], text: "Attach ${instance} since ${since}"}
  - {id: again, call: db-failure}
  - {id: last, manual: Tell the users}
test:
  - {id: works, check: {http: {url: "${api}/books/"}}}
`

const dbScenario = `
scenario: The database has failed
class: critical-dependency
covers: [db]
leads: {primary: bob}
severity: critical
rto: 1h
rpo: 1h
fault: {http: {url: "${api}/break"}}
recovery:
  - {id: look, check: {http: {url: "${api}/db/"}}, then: {ok: resume, failed: next}}
  - {id: fix, manual: Fix it}
test:
  - {id: works, check: {http: {url: "${api}/db/"}}}
`

func compiled(t *testing.T, scenario string) exercise.Plan {
	t.Helper()
	pb := load(t, map[string]string{"belay.yaml": shopPlaybook, "scenarios/api-failure.yaml": apiScenario, "scenarios/db-failure.yaml": dbScenario})
	p, err := exercise.Compile(pb, scenario, "staging", exercise.Guided, exercise.CompileOptions{ID: "E1", Runner: "bob", Now: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompile(t *testing.T) {
	p := compiled(t, "api-failure")
	if got := strings.Join(p.Primaries(), " "); got != "api/main" || len(p.Probes) != 3 {
		t.Errorf("%d probes, %q decide", len(p.Probes), got)
	}
	if len(p.Canaries) != 1 || string(p.Canaries[0].Config) != `{"url":"http://127.0.0.1:1/canary/"}` {
		t.Errorf("canaries %+v", p.Canaries)
	}
	if string(p.Fault.Config) != `{"url":"http://127.0.0.1:1/break"}` || p.Limit != time.Minute || p.RecoversBy != "procedure" {
		t.Errorf("fault %s, limit %s, recovers by %s", p.Fault.Config, p.Limit, p.RecoversBy)
	}
	var lines []string
	for _, n := range p.Nodes {
		line := strings.Join([]string{n.Procedure, n.ID, string(n.Kind), n.Repeat, n.OK, n.Failed, exercise.Readable(strings.Join(n.Argv, ","))}, " ")
		for _, o := range n.Options {
			line += " " + o.ID + ">" + o.Goto
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	want := []string{
		"recovery which ask ask next stop  app>restart all>again",
		"recovery restart run safe resume next restart,http://127.0.0.1:1",
		"recovery launch run ask next stop launch",
		"recovery attach run ask next stop attach,${instance},${kept}",
		"recovery again check safe last next",
		"recovery again/fix manual ask last stop",
		"recovery last manual ask next stop",
		"test works check safe next stop",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	restart := p.Nodes[1]
	if restart.Expect == nil || restart.Text != "Restart it" || len(restart.Secrets) != 1 || restart.Secrets[0].Env != "DB" {
		t.Errorf("restart: %+v", restart)
	}
}

// A plan survives JSON: what is read back has the same digest.
func TestPlanIsData(t *testing.T) {
	p := compiled(t, "api-failure")
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back exercise.Plan
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if back.Digest() != p.Digest() {
		t.Error("the digest changes on the way through JSON")
	}
	if p.Closure == "" || p.Substance == "" || len(p.Parts) == 0 {
		t.Error("the plan is not bound to the playbook")
	}
}

// A database is written to through its application: the canary is that of a service above.
func TestCanaryOfAServiceAbove(t *testing.T) {
	if p := compiled(t, "db-failure"); len(p.Canaries) != 1 || p.Canaries[0].Service != "api" {
		t.Errorf("canaries %+v", p.Canaries)
	}
}

func TestCompileRefuses(t *testing.T) {
	pb := load(t, map[string]string{"belay.yaml": shopPlaybook, "scenarios/api-failure.yaml": apiScenario, "scenarios/db-failure.yaml": dbScenario})
	for _, c := range []struct{ scenario, environment, want string }{
		{"nothing", "staging", `there is no scenario "nothing" (there are: api-failure, db-failure)`},
		{"api-failure", "moon", `there is no environment "moon" (there are: staging)`},
	} {
		_, err := exercise.Compile(pb, c.scenario, c.environment, exercise.Guided, exercise.CompileOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %s: %v", c.scenario, c.environment, err)
		}
	}
}

// Values are filled in where they are known, with JSON's own quoting inside checks.
func TestFill(t *testing.T) {
	n := compiled(t, "api-failure").Nodes[3]
	got, err := exercise.Fill(n, func(name string) (string, bool) {
		return map[string]string{"instance": `i-"1"`, "since": "noon"}[name], true
	})
	if err != nil || got.Argv[1] != `i-"1"` || got.Text != `Attach i-"1" since noon` {
		t.Errorf("got %q, %q, %v", got.Argv, got.Text, err)
	}
	if n.Argv[1] == got.Argv[1] {
		t.Error("the plan's own node was changed")
	}
	if _, err := exercise.Fill(n, func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "${instance}") {
		t.Errorf("a missing value: %v", err)
	}
}
