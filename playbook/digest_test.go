package playbook_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belay-dr/belay/playbook"
)

// edit is one way to change the valid playbook, with the part that must show it; "" when none may.
type edit struct {
	name   string
	part   string
	change func(pb *playbook.Playbook, word string)
}

func get[T any](table playbook.Table[T], id string) *T {
	v, ok := table.Get(id)
	if !ok {
		panic("no row " + id)
	}
	return v
}

func service(id string, change func(s *playbook.Service, word string)) func(*playbook.Playbook, string) {
	return func(pb *playbook.Playbook, word string) { change(get(pb.Services, id), word) }
}

func failure(change func(s *playbook.Scenario, word string)) func(*playbook.Playbook, string) {
	return func(pb *playbook.Playbook, word string) { change(get(pb.Scenarios, "api-failure"), word) }
}

func length(word string) playbook.Duration {
	return playbook.Duration(time.Duration(len(word)+1) * time.Minute)
}

func ignoredEdits() []edit {
	return []edit{
		{"summary", "", func(pb *playbook.Playbook, w string) { pb.Summary = w }},
		{"team", "", func(pb *playbook.Playbook, w string) { pb.Team = w }},
		{"phone", "", func(pb *playbook.Playbook, w string) { get(pb.People, "bob").Phone = w }},
		{"email", "", func(pb *playbook.Playbook, w string) { get(pb.People, "bob").Email = w }},
		{"position", "", func(pb *playbook.Playbook, w string) { get(pb.People, "bob").Position = w }},
		{"vendor", "", func(pb *playbook.Playbook, w string) { get(pb.Vendors, "hosting").Phone = w }},
		{"purpose", "", service("api", func(s *playbook.Service, w string) { s.Purpose = w })},
		{"workaround", "", service("api", func(s *playbook.Service, w string) { s.Workaround = w })},
		{"technologies", "", service("api", func(s *playbook.Service, w string) { s.Technologies = []string{w} })},
		{"overview", "", failure(func(s *playbook.Scenario, w string) { s.Overview = []string{w} })},
		{"platform", "", failure(func(s *playbook.Scenario, w string) { s.Platform = w })},
		{"note", "", failure(func(s *playbook.Scenario, w string) { s.Recovery[1].Note = w })},
		{"example", "", failure(func(s *playbook.Scenario, w string) { s.Recovery[2].Example = w })},
		{"binding example", "", func(pb *playbook.Playbook, w string) { get(pb.Actions, "restart-api").Bindings[0].Value.Example = w }},
		{"why", "", func(pb *playbook.Playbook, w string) { pb.Notifications[0].Why = w }},
		{"order of services", "", func(pb *playbook.Playbook, _ string) {
			pb.Services[0], pb.Services[1] = pb.Services[1], pb.Services[0]
		}},
		{"order of needs", "", service("api", func(s *playbook.Service, _ string) { s.Needs = []string{"cdn", "database"} })},
		{"a default written out", "", failure(func(s *playbook.Scenario, _ string) { s.Recovery[2].Then.OK = playbook.Next })},
	}
}

func substanceEdits() []edit {
	return []edit{
		{"rto", "services.api.rto", service("api", func(s *playbook.Service, w string) { s.RTO += length(w) })},
		{"rpo", "services.database.rpo", service("database", func(s *playbook.Service, w string) { s.RPO += length(w) })},
		{"criticality", "services.api.critical", service("api", func(s *playbook.Service, _ string) { s.Critical.Level = playbook.Unknown })},
		{"needs", "services.api.needs", service("api", func(s *playbook.Service, _ string) { s.Needs = s.Needs[:1] })},
		{"threshold", "services.cdn.tolerates", service("cdn", func(s *playbook.Service, w string) { s.Tolerates.For += length(w) })},
		{"severity", "scenarios.api-failure.severity", failure(func(s *playbook.Scenario, _ string) { s.Severity = "minor" })},
		{"class", "scenarios.api-failure.class", failure(func(s *playbook.Scenario, _ string) { s.Class = playbook.CriticalDependency })},
		{"scenario rto", "scenarios.api-failure.rto", failure(func(s *playbook.Scenario, w string) { s.RTO += length(w) })},
		{"leads", "scenarios.api-failure.leads", failure(func(s *playbook.Scenario, w string) { s.Leads.Secondary += w + "x" })},
		{"covers", "scenarios.api-failure.covers", failure(func(s *playbook.Scenario, _ string) { s.Covers = append(s.Covers, "cdn") })},
		{"fault", "scenarios.api-failure.fault", failure(func(s *playbook.Scenario, w string) { s.Fault.Config.(*processKind).Kill += w + "x" })},
		{"step", "scenarios.api-failure.recovery.dns", failure(func(s *playbook.Scenario, w string) { s.Recovery[4].Manual += w + "." })},
		{"no return", "scenarios.api-failure.recovery.dns", failure(func(s *playbook.Scenario, _ string) { s.Recovery[4].NoReturn = false })},
		{"order of options", "scenarios.api-failure.recovery.which", failure(func(s *playbook.Scenario, _ string) {
			o := s.Recovery[0].Options
			o[0], o[1] = o[1], o[0]
		})},
		{"order of steps", "scenarios.api-failure.recovery.order", failure(func(s *playbook.Scenario, _ string) {
			s.Recovery[5], s.Recovery[6] = s.Recovery[6], s.Recovery[5]
		})},
		{"backout", "scenarios.api-failure.backout.undo-dns", failure(func(s *playbook.Scenario, w string) { s.Backout[0].Manual += w + "." })},
		{"expectation", "scenarios.api-failure.test.books", failure(func(s *playbook.Scenario, w string) {
			s.Test[0].Check.Config.(*httpKind).Expect.Status += 1 + len(w)
		})},
		{"binding", "actions.restart-api.staging", func(pb *playbook.Playbook, w string) {
			run := &get(pb.Actions, "restart-api").Bindings[0].Value.Run
			*run = append(*run, w)
		}},
		{"action's expectation", "actions.restart-api.expect", func(pb *playbook.Playbook, w string) {
			get(pb.Actions, "restart-api").Expect.Config.(*httpKind).URL += w + "x"
		}},
		{"who is told", "notifications[0]", func(pb *playbook.Playbook, _ string) { pb.Notifications[0].Who = []string{"bob"} }},
		{"told within", "notifications[1]", func(pb *playbook.Playbook, w string) { pb.Notifications[1].Within += length(w) }},
		{"signers", "agreement.roles", func(pb *playbook.Playbook, _ string) { pb.Agreement.Roles = pb.Agreement.Roles[1:] }},
		{"author may sign", "agreement.author_may_sign", func(pb *playbook.Playbook, _ string) { pb.Agreement.AuthorMaySign = true }},
		{"scale", "severities.minor", func(pb *playbook.Playbook, w string) { get(pb.Severities, "minor").RTO += length(w) }},
		{"order of the scale", "severities.order", func(pb *playbook.Playbook, _ string) {
			pb.Severities[0], pb.Severities[1] = pb.Severities[1], pb.Severities[0]
		}},
		{"kind of environment", "environments.staging.kind", func(pb *playbook.Playbook, _ string) { pb.Environments[0].Value.Kind = playbook.Production }},
	}
}

// TestSubstanceProperty edits the playbook in random ways. Edits of prose change nothing; each edit of substance is named.
func TestSubstanceProperty(t *testing.T) {
	before := playbook.Substance(valid(t))
	ignored, substance := ignoredEdits(), substanceEdits()
	rapid.Check(t, func(r *rapid.T) {
		pb, err := playbook.Load(os.DirFS("testdata/valid"), testKinds())
		if err != nil {
			r.Fatal(err)
		}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, len(ignored)-1), rapid.ID[int]).Draw(r, "ignored") {
			ignored[i].change(pb, rapid.StringMatching(`[a-z]{0,9}`).Draw(r, "word"))
		}
		if diff := playbook.Diff(before, playbook.Substance(pb)); diff != nil {
			r.Fatalf("edits of prose changed %v", diff)
		}
		want := map[string]bool{}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, len(substance)-1), rapid.ID[int]).Draw(r, "substance") {
			substance[i].change(pb, rapid.StringMatching(`[a-z]{0,9}`).Draw(r, "word"))
			want[substance[i].part] = true
		}
		after := playbook.Substance(pb)
		got := map[string]bool{}
		for _, change := range playbook.Diff(before, after) {
			got[change.Path] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			r.Fatal(diff)
		}
		if (len(want) == 0) != (before.Digest() == after.Digest()) {
			r.Fatalf("%d changes, digest %s, then %s", len(want), before.Digest(), after.Digest())
		}
	})
}

// TestEachEdit makes sure that every edit of the property test does what it says by itself.
func TestEachEdit(t *testing.T) {
	before := playbook.Substance(valid(t))
	for _, e := range append(ignoredEdits(), substanceEdits()...) {
		pb := valid(t)
		e.change(pb, "word")
		diff := playbook.Diff(before, playbook.Substance(pb))
		if e.part == "" && diff != nil || e.part != "" && (len(diff) != 1 || diff[0] != playbook.Change{Path: e.part, What: "changed"} && e.part != "agreement.author_may_sign") {
			t.Errorf("%s: want %q, got %v", e.name, e.part, diff)
		}
	}
}

// TestCanaries says whose canary counts the loss: the covered services' own, their needs', and else those above.
func TestCanaries(t *testing.T) {
	pb := valid(t)
	for _, c := range []struct{ covers, without, want string }{
		{"api", "", "api"}, {"database", "", "api"}, {"orders", "", ""}, {"database", "api", ""},
	} {
		if c.without != "" {
			get(pb.Services, c.without).Canary = nil
		}
		if got := strings.Join(pb.Canaries(c.covers), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.covers, got, c.want)
		}
	}
}

// TestFormattingIsNoSubstance writes the same playbook with other comments, quotes, spacing and orders of keys.
func TestFormattingIsNoSubstance(t *testing.T) {
	files := validFiles(t)
	rewrite := func(name string, pairs ...string) {
		text := string(files[name].Data)
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(text, pairs[i]) {
				t.Fatalf("%s does not hold %q", name, pairs[i])
			}
			text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	rewrite("belay.yaml", "{run: [bookstore, restart, api]}", "\n      # a comment\n      run:\n        - bookstore\n        - 'restart'\n        - \"api\"",
		"    rto: 12h\n    rpo: 24h\n", "\n    rpo: 1d   # one day\n    rto: 720m\n",
		`{period: "02:00-03:00", days: daily, zone: America/Los_Angeles}`, `{zone: America/Los_Angeles, period: "02:00-03:00"}`,
		"{means: Some shops cannot buy, rto: 3d}", "{rto: 72h, means: Some shops cannot buy}")
	rewrite("scenarios/api-failure.yaml", "{id: replace, use: launch-server, timeout: 20m}", "{timeout: 20m, id: replace, use: launch-server, repeat: ask}",
		"goto: next}", "}", "{goto: resume}", "resume")
	if diff := playbook.Diff(playbook.Substance(valid(t)), playbook.Substance(load(t, files))); diff != nil {
		t.Errorf("formatting changed %v", diff)
	}
}

func closure(t *testing.T, pb *playbook.Playbook, scenario, environment string) playbook.Parts {
	t.Helper()
	parts, err := playbook.Closure(pb, scenario, environment)
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestClosure(t *testing.T) {
	parts := closure(t, valid(t), "api-failure", "staging")
	for _, want := range []string{
		"scenarios.api-failure.severity", "scenarios.api-failure.recovery.order", "scenarios.api-failure.recovery.restart",
		"scenarios.database-failure.recovery.restore", "services.cdn.rto", "services.database.critical",
		"actions.restart-api.staging", "actions.launch-server.staging", "environments.staging.kind",
	} {
		if parts[want] == "" {
			t.Errorf("%s is missing", want)
		}
	}
	for _, not := range []string{"actions.restart-api.production", "services.replica.critical", "scenarios.database-failure.severity", "agreement.roles"} {
		if parts[not] != "" {
			t.Errorf("%s has no place there", not)
		}
	}
	if _, err := playbook.Closure(valid(t), "api-failure", "nowhere"); err == nil || !strings.Contains(err.Error(), `unknown environment "nowhere"`) {
		t.Errorf("got %v", err)
	}
	if _, err := playbook.Closure(valid(t), "nothing", "staging"); err == nil || !strings.Contains(err.Error(), `unknown scenario "nothing"`) {
		t.Errorf("got %v", err)
	}
}

func TestClosureKnowsTheValuesOfVariables(t *testing.T) {
	before := valid(t)
	after := valid(t)
	*get(after.Environments[0].Value.Vars, "host") = "127.0.0.2"
	got := fmt.Sprint(playbook.Diff(closure(t, before, "api-failure", "staging"), closure(t, after, "api-failure", "staging")))
	want := "[scenarios.api-failure.recovery.shell changed scenarios.api-failure.recovery.which changed]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if diff := playbook.Diff(closure(t, before, "api-failure", "production"), closure(t, after, "api-failure", "production")); diff != nil {
		t.Errorf("production changed: %v", diff)
	}
	if diff := playbook.Diff(playbook.Substance(before), playbook.Substance(after)); diff != nil {
		t.Errorf("the substance changed: %v", diff)
	}
}

func TestDiff(t *testing.T) {
	got := playbook.Diff(map[string]string{"a": "1", "b": "2", "c": "3"}, map[string]string{"b": "2", "c": "4", "d": "5"})
	want := []playbook.Change{{Path: "a", What: "removed"}, {Path: "c", What: "changed"}, {Path: "d", What: "added"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDigestsAreStable pins the digests: when they change, every signature and every piece of evidence out there lapses.
func TestDigestsAreStable(t *testing.T) {
	pb := valid(t)
	var b strings.Builder
	for _, set := range []struct {
		name  string
		parts playbook.Parts
	}{{"substance", playbook.Substance(pb)}, {"closure of api-failure in staging", closure(t, pb, "api-failure", "staging")}} {
		fmt.Fprintf(&b, "%s %s\n", set.name, set.parts.Digest())
		for _, path := range slices.Sorted(maps.Keys(set.parts)) {
			fmt.Fprintf(&b, "  %s %s\n", path, set.parts[path])
		}
	}
	const golden = "testdata/digests"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestDigestIsCanonicalJSON recomputes one part by hand.
func TestDigestIsCanonicalJSON(t *testing.T) {
	sum := sha256.Sum256([]byte(`["critical"]`))
	want := "sha256:" + hex.EncodeToString(sum[:])
	if got := playbook.Substance(valid(t))["scenarios.api-failure.severity"]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
