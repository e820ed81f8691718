package stage_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/internal/calendar"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/stage"
)

const day = 24 * time.Hour

// today is when the tests assess; the evidence is from the days before.
func today() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func signerOf(t testing.TB, person string) ssh.Signer {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, person)
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bookstore is a small playbook that is complete for stage 1.
func bookstore(t testing.TB) *playbook.Playbook {
	t.Helper()
	person := func(id string, roles ...playbook.Role) playbook.Row[playbook.Person] {
		return playbook.Row[playbook.Person]{ID: id, Value: playbook.Person{
			Name: id, Roles: roles, Email: id + "@example.com",
			Available: &calendar.Hours{Text: "on-call", OnCall: true}, Services: []string{"all"},
			Keys: []string{evidence.AuthorizedKey(signerOf(t, id).PublicKey())},
		}}
	}
	service := func(id string, needs ...string) playbook.Row[playbook.Service] {
		return playbook.Row[playbook.Service]{ID: id, Value: playbook.Service{
			Critical: playbook.Criticality{Level: playbook.Always}, RTO: hours(12), RPO: hours(24), Needs: needs,
			Probes:        playbook.Table[playbook.Spec]{{ID: "up", Value: playbook.Spec{Kind: "tcp", Config: "127.0.0.1:1"}}},
			Observability: playbook.Table[string]{{ID: "logs", Value: "journal"}},
		}}
	}
	scenario := func(id string, class playbook.Class, covers string) playbook.Row[playbook.Scenario] {
		return playbook.Row[playbook.Scenario]{ID: id, Value: playbook.Scenario{
			Title: id, Class: class, Covers: []string{covers}, Severity: "critical", RTO: hours(12), RPO: hours(24),
			Leads:    playbook.Leads{Primary: "bob", Secondary: "alice"},
			Recovery: []playbook.Step{{ID: "restart", Manual: "Restart it"}},
			Test:     []playbook.Step{{ID: "look", Manual: "Look at it"}},
			Resume:   []playbook.Step{{ID: "tell", Manual: "Tell everybody"}},
		}}
	}
	return &playbook.Playbook{
		Application: "bookstore",
		Environments: playbook.Table[playbook.Environment]{
			{ID: "staging", Value: playbook.Environment{Kind: playbook.NonProduction}},
			{ID: "production", Value: playbook.Environment{Kind: playbook.Production}},
		},
		Services: playbook.Table[playbook.Service]{service("api", "database"), service("database")},
		People: playbook.Table[playbook.Person]{
			person("alice", playbook.Stakeholder), person("bob", playbook.Development, playbook.Testing),
			person("christina", playbook.Operations),
		},
		Notifications: []playbook.Notification{{When: "always", Who: []string{"alice"}}},
		Scenarios: playbook.Table[playbook.Scenario]{
			scenario("api-failure", playbook.DisasterRecovery, "api"),
			scenario("database-failure", playbook.CriticalDependency, "database"),
		},
	}
}

func hours(n int) playbook.Duration { return playbook.Duration(time.Duration(n) * time.Hour) }

// ledger collects records.
type ledger struct {
	t       testing.TB
	pb      *playbook.Playbook
	records []evidence.Record
}

func (l *ledger) add(at time.Time, d evidence.Draft) string {
	l.t.Helper()
	prev := evidence.Genesis
	if n := len(l.records); n > 0 {
		prev = l.records[n-1].Hash
	}
	r, err := evidence.Chain(int64(len(l.records)+1), fmt.Sprintf("R%03d", len(l.records)+1), at, d, prev)
	if err != nil {
		l.t.Fatal(err)
	}
	l.records = append(l.records, r)
	return r.ID
}

// state adds a signed statement on the substance as it is; change may spoil it before it is signed.
func (l *ledger) state(at time.Time, kind, person string, change func(*evidence.Agreement)) string {
	l.t.Helper()
	parts := playbook.Substance(l.pb)
	a := evidence.Agreement{Application: "bookstore", Person: person, Substance: parts.Digest(), Parts: parts}
	if change != nil {
		change(&a)
	}
	a, err := a.Sign(kind, at, signerOf(l.t, person))
	if err != nil {
		l.t.Fatal(err)
	}
	return l.record(at, kind, a)
}

func (l *ledger) record(at time.Time, kind string, a evidence.Agreement) string {
	l.t.Helper()
	d, err := a.Draft(kind, nil) // the recorded grade is never believed
	if err != nil {
		l.t.Fatal(err)
	}
	return l.add(at, d)
}

func (l *ledger) agree(at time.Time, person, role string) string {
	return l.state(at, evidence.KindAgreement, person, func(a *evidence.Agreement) { a.Role = role })
}

func (l *ledger) exercise(at time.Time, scenario string, change func(*exercise.Result)) string {
	l.t.Helper()
	parts, err := playbook.Closure(l.pb, scenario, "staging")
	if err != nil {
		l.t.Fatal(err)
	}
	upper, span := 8400.0, 3000.0
	r := exercise.Result{
		ID: fmt.Sprintf("E%d", len(l.records)), Application: "bookstore", Scenario: scenario, Environment: "staging",
		Mode: exercise.Guided, Started: at, Ended: at, Verdict: exercise.Pass, Objective: "met", Procedure: exercise.Followed,
		Attribution: "procedure", OutageMS: exercise.Millis{Lower: 8100, Upper: &upper}, RTOMS: 12 * 3600_000, RPOMS: 24 * 3600_000,
		Loss: &exercise.Loss{SpanMS: exercise.Millis{Upper: &span}}, Fault: exercise.FaultSeen{Fidelity: "process"},
		Digests: map[string]string{"closure": parts.Digest()}, Parts: parts, Grade: "measured",
	}
	if change != nil {
		change(&r)
	}
	payload, err := json.Marshal(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.add(at, evidence.Draft{Kind: evidence.KindExercise, Subject: r.ID, Grade: evidence.Measured, Payload: payload})
}

// climbed is a ledger that takes the bookstore to stage 1.
func climbed(t testing.TB, pb *playbook.Playbook) *ledger {
	l := &ledger{t: t, pb: pb}
	at := today().Add(-10 * day)
	l.agree(at, "alice", "stakeholder")
	l.agree(at, "bob", "development")
	l.agree(at, "bob", "testing")
	l.agree(at, "christina", "operations")
	l.exercise(at.Add(day), "api-failure", nil)
	return l
}

func (l *ledger) assess(change func(*stage.Input)) stage.Assessment {
	in := stage.Input{Playbook: l.pb, Records: l.records, Now: today(), LintBlockers: []string{}}
	if change != nil {
		change(&in)
	}
	return stage.Assess(in)
}

func criterion(t testing.TB, a stage.Assessment, id string) stage.Criterion {
	t.Helper()
	for _, c := range a.Criteria {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no criterion %s", id)
	return stage.Criterion{}
}

func wantStage(t testing.TB, a stage.Assessment, want int) {
	t.Helper()
	if a.Stage == want {
		return
	}
	t.Errorf("stage %d, want %d", a.Stage, want)
	for _, c := range a.Criteria {
		if c.State != stage.Met {
			t.Logf("%d %s %s: %s", c.Stage, c.ID, c.State, c.Why)
		}
	}
}

func wantCriterion(t testing.TB, a stage.Assessment, id string, state stage.State, why string) {
	t.Helper()
	c := criterion(t, a, id)
	if c.State != state || !strings.Contains(c.Why, why) {
		t.Errorf("%s is %s: %q; want %s: %q", id, c.State, c.Why, state, why)
	}
	if c.State != stage.Met && c.State != stage.Waived && c.Next == "" {
		t.Errorf("%s is %s and names no next action", id, c.State)
	}
}

func TestClimb(t *testing.T) {
	pb := bookstore(t)
	l := &ledger{t: t, pb: pb}
	a := l.assess(nil)
	wantStage(t, a, 0)
	wantCriterion(t, a, "agreement", stage.Unmet, "nobody has signed for development, testing, operations and stakeholder")
	if a.Next != "belay agree --as bob --role development --key ~/.ssh/id_ed25519" {
		t.Errorf("next: %q", a.Next)
	}
	a = climbed(t, pb).assess(nil)
	wantStage(t, a, 1)
	wantCriterion(t, a, "failover-exercise", stage.Met, "api-failure on 2026-11-13 passed: outage between 8.1 s and 8.4 s")
	wantCriterion(t, a, "seen", stage.Met, "alice, bob, christina")
	wantCriterion(t, a, "critical-dependency-exercises", stage.Unmet, "database: no exercise of database-failure")
	if len(a.Lost) != 0 {
		t.Errorf("lost: %v", a.Lost)
	}
	if want := "belay exercise run database-failure --env staging --mode guided"; a.Next != want {
		t.Errorf("next: %q, want %q", a.Next, want)
	}
	if got := criterion(t, a, "agreement").Evidence; !slices.Equal(got, []string{"R002", "R003", "R004", "R001"}) {
		t.Errorf("evidence of the agreement: %v", got)
	}
}

// What people agreed to, or what an exercise proved, changes: the stage falls to 0 and the change is named. Other changes
// do nothing.
func TestChanges(t *testing.T) {
	tests := map[string]struct {
		change func(*playbook.Playbook)
		stage  int
		lost   []string
	}{
		"nothing": {func(*playbook.Playbook) {}, 1, nil},
		"phone":   {func(pb *playbook.Playbook) { pb.People[0].Value.Phone = "555" }, 1, nil},
		"note":    {func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Recovery[0].Note = "Mind the step" }, 1, nil},
		"severity": {
			func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Severity = "major" }, 0,
			[]string{
				"agreement: changed since bob (development), bob (testing), christina (operations) and alice (stakeholder) agreed on 2026-11-12: scenarios.api-failure.severity",
				"seen: changed since alice, bob and christina agreed on 2026-11-12: scenarios.api-failure.severity",
			},
		},
		"step": {
			func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Recovery[0].Manual = "Restart it twice" }, 0,
			[]string{
				"agreed on 2026-11-12: scenarios.api-failure.recovery",
				"failover-exercise: changed since the exercise of api-failure on 2026-11-13: scenarios.api-failure.recovery",
			},
		},
		"another scenario's step": {
			func(pb *playbook.Playbook) { pb.Scenarios[1].Value.Recovery[0].Manual = "Wait" }, 0,
			[]string{"agreed on 2026-11-12: scenarios.database-failure.recovery"},
		},
		"workaround": {func(pb *playbook.Playbook) { pb.Services[0].Value.Workaround = "Wait" }, 1, nil},
		"the probe that decides": {
			func(pb *playbook.Playbook) { pb.Services[0].Value.Probes[0].Value.Config = "127.0.0.1:2" }, 0,
			[]string{"failover-exercise: changed since the exercise of api-failure on 2026-11-13: services.api.probes.up"},
		},
		"a probe that is only shown": {func(pb *playbook.Playbook) { pb.Services[1].Value.Probes[0].Value.Config = "127.0.0.1:2" }, 1, nil},
		"a canary": {
			func(pb *playbook.Playbook) {
				pb.Services[1].Value.Canary = &playbook.Spec{Kind: "http", Config: map[string]string{"url": "http://127.0.0.1:1"}}
			}, 0,
			[]string{"failover-exercise: changed since the exercise of api-failure on 2026-11-13: services.database.canary"},
		},
		"a service more": {func(pb *playbook.Playbook) {
			pb.Services = append(pb.Services, playbook.Row[playbook.Service]{ID: "cdn", Value: playbook.Service{Critical: playbook.Criticality{Level: playbook.Never}}})
		}, 0, []string{"agreed on 2026-11-12: services.cdn"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := climbed(t, bookstore(t))
			l.pb = bookstore(t)
			test.change(l.pb)
			a := l.assess(nil)
			wantStage(t, a, test.stage)
			if name == "severity" {
				wantCriterion(t, a, "failover-exercise", stage.Met, "")
			}
			for _, want := range test.lost {
				if !strings.Contains(strings.Join(a.Lost, "\n"), want) {
					t.Errorf("%q is not among what was lost:\n%s", want, strings.Join(a.Lost, "\n"))
				}
			}
			if len(test.lost) == 0 && len(a.Lost) != 0 {
				t.Errorf("lost: %v", a.Lost)
			}
		})
	}
}

// A tightened objective is held against the bounds that were measured; a looser one changes nothing. The agreement lapses
// with either, so it is made anew.
func TestObjectives(t *testing.T) {
	tests := map[string]struct {
		rto, rpo time.Duration
		result   func(*exercise.Result)
		state    stage.State
		why      string
	}{
		"looser":                     {48 * time.Hour, 48 * time.Hour, nil, stage.Met, ""},
		"tighter, still met":         {9 * time.Second, 4 * time.Second, nil, stage.Met, ""},
		"rto within bounds":          {8300 * time.Millisecond, time.Hour, nil, stage.Unmet, "does not meet the RTO as it is now, 8.3 s: outage between 8.1 s and 8.4 s"},
		"rto missed":                 {5 * time.Second, time.Hour, nil, stage.Unmet, "does not meet the RTO as it is now, 5 s"},
		"rpo missed":                 {time.Hour, 2 * time.Second, nil, stage.Unmet, "does not meet the RPO as it is now, 2 s"},
		"rpo without a canary":       {time.Hour, time.Hour, func(r *exercise.Result) { r.Loss = nil }, stage.Unmet, "had no canary, so nothing is known of lost data"},
		"rpo stated only since":      {time.Hour, time.Hour, func(r *exercise.Result) { r.Loss, r.RPOMS = nil, 0 }, stage.Unmet, "had no canary, so nothing is known of lost data"},
		"never an rpo":               {time.Hour, 0, func(r *exercise.Result) { r.Loss, r.RPOMS = nil, 0 }, stage.Met, ""},
		"with its relapses too long": {10 * time.Second, time.Hour, relapsed(1000, 2000), stage.Unmet, "outage between 8.1 s and 8.4 s, with relapses up to 10.4 s"},
		"a relapse that fits":        {11 * time.Second, time.Hour, relapsed(1000, 2000), stage.Met, ""},
		"censored":                   {time.Hour, time.Hour, func(r *exercise.Result) { r.OutageMS.Upper = nil }, stage.Unmet, "outage of at least 8.1 s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, pb: bookstore(t)}
			l.exercise(today().Add(-day), "api-failure", test.result)
			l.pb.Scenarios[0].Value.RTO, l.pb.Scenarios[0].Value.RPO = playbook.Duration(test.rto), playbook.Duration(test.rpo)
			wantCriterion(t, l.assess(nil), "failover-exercise", test.state, test.why)
		})
	}
}

// relapsed gives a result one relapse.
func relapsed(lower, upper float64) func(*exercise.Result) {
	return func(r *exercise.Result) { r.Relapses, r.RelapseMS = 1, &exercise.Millis{Lower: lower, Upper: &upper} }
}

// What an exercise must be to count.
func TestExerciseThatDoesNotCount(t *testing.T) {
	tests := map[string]struct {
		change func(*exercise.Result)
		state  stage.State
		why    string
	}{
		"failed": {
			func(r *exercise.Result) { r.Verdict, r.Why = exercise.Fail, "deviated: the playbook needs an update" }, stage.Unmet,
			"api-failure on 2026-11-21 was FAIL: deviated: the playbook needs an update",
		},
		"invalid":             {func(r *exercise.Result) { r.Verdict = exercise.Invalid }, stage.Unmet, "was INVALID"},
		"tabletop":            {func(r *exercise.Result) { r.Mode = exercise.Tabletop }, stage.Unmet, "no exercise of api-failure"},
		"only claimed":        {func(r *exercise.Result) { r.Grade = "claimed" }, stage.Unmet, "passed, but its numbers are only claimed"},
		"another scenario":    {func(r *exercise.Result) { r.Scenario = "database-failure" }, stage.Unmet, "no exercise of api-failure"},
		"another application": {func(r *exercise.Result) { r.Application = "library" }, stage.Unmet, "no exercise of api-failure"},
		"a digest of its own": {func(r *exercise.Result) { r.Digests = map[string]string{"closure": "sha256:00"} }, stage.Stale, "its record does not fit its own digest"},
		"parts of its own":    {func(r *exercise.Result) { r.Parts = map[string]string{"x": "y"} }, stage.Stale, "its record does not fit its own digest"},
		"environment gone":    {func(r *exercise.Result) { r.Environment = "moon" }, stage.Stale, "moon"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, pb: bookstore(t)}
			l.exercise(today().Add(-day), "api-failure", test.change)
			wantCriterion(t, l.assess(nil), "failover-exercise", test.state, test.why)
		})
	}
	t.Run("a pass counts beside a failure", func(t *testing.T) {
		l := &ledger{t: t, pb: bookstore(t)}
		l.exercise(today().Add(-3*day), "api-failure", nil)
		l.exercise(today().Add(-2*day), "api-failure", func(r *exercise.Result) { r.Verdict = exercise.Fail })
		wantCriterion(t, l.assess(nil), "failover-exercise", stage.Met, "2026-11-19 passed")
	})
}

func TestAgreementThatDoesNotCount(t *testing.T) {
	at := today().Add(-day)
	tests := map[string]struct {
		make func(l *ledger)
		why  string
	}{
		"unsigned": {func(l *ledger) {
			parts := playbook.Substance(l.pb)
			l.record(at, evidence.KindAgreement, evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: parts.Digest(), Parts: parts})
		}, "alice agreed for stakeholder, which does not count: not signed"},
		"by another's key": {func(l *ledger) {
			parts := playbook.Substance(l.pb)
			a, err := evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: parts.Digest(), Parts: parts}.
				Sign(evidence.KindAgreement, at, signerOf(l.t, "bob"))
			if err != nil {
				l.t.Fatal(err)
			}
			l.record(at, evidence.KindAgreement, a)
		}, "alice agreed for stakeholder, which does not count: the signing key is not one of the person's keys in the playbook"},
		"for a role that is not held": {func(l *ledger) { l.agree(at, "bob", "stakeholder") }, "nobody has signed for stakeholder"},
		"only seen":                   {func(l *ledger) { l.state(at, evidence.KindSeen, "alice", nil) }, "nobody has signed for stakeholder"},
		"of another application": {func(l *ledger) {
			l.state(at, evidence.KindAgreement, "alice", func(a *evidence.Agreement) { a.Role, a.Application = "stakeholder", "library" })
		}, "nobody has signed for stakeholder"},
		"changed after signing": {func(l *ledger) {
			parts := playbook.Substance(l.pb)
			a, err := evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: "sha256:00"}.
				Sign(evidence.KindAgreement, at, signerOf(l.t, "alice"))
			if err != nil {
				l.t.Fatal(err)
			}
			a.Substance, a.Parts = parts.Digest(), parts
			l.record(at, evidence.KindAgreement, a)
		}, "alice agreed for stakeholder, which does not count: verify signature"},
		"an old signature in a new record": {func(l *ledger) {
			old := today().Add(-400 * day)
			parts := playbook.Substance(l.pb)
			a, err := evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: parts.Digest(), Parts: parts}.
				Sign(evidence.KindAgreement, old, signerOf(l.t, "alice"))
			if err != nil {
				l.t.Fatal(err)
			}
			l.record(at, evidence.KindAgreement, a)
		}, "alice (stakeholder) agreed on 2025-10-18, more than 365 days ago"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, pb: bookstore(t)}
			l.pb.Agreement.Roles = []playbook.Role{playbook.Stakeholder}
			test.make(l)
			a := l.assess(nil)
			c := criterion(t, a, "agreement")
			if c.State == stage.Met || !strings.Contains(c.Why, test.why) {
				t.Errorf("%s: %q, want %q", c.State, c.Why, test.why)
			}
		})
	}
}

func TestAuthor(t *testing.T) {
	l := &ledger{t: t, pb: bookstore(t)}
	l.pb.Agreement = playbook.Agreement{Roles: []playbook.Role{playbook.Development}, Author: "bob"}
	l.agree(today().Add(-day), "bob", "development")
	wantCriterion(t, l.assess(nil), "agreement", stage.Unmet, "nobody who may sign holds the role development")
	l.pb.Agreement.AuthorMaySign = true
	l.agree(today().Add(-day), "bob", "development")
	wantCriterion(t, l.assess(nil), "agreement", stage.Met, "bob (development) on 2026-11-21")
}

func TestDissent(t *testing.T) {
	l := climbed(t, bookstore(t))
	id := l.record(today().Add(-day), evidence.KindDissent, evidence.Agreement{Application: "bookstore", Person: "christina", Text: "nobody is there at night"})
	a := l.assess(nil)
	wantStage(t, a, 0)
	wantCriterion(t, a, "agreement", stage.Unmet, "christina dissents: nobody is there at night")
	if !strings.HasPrefix(a.Next, "belay agree --answer "+id) {
		t.Errorf("next: %q", a.Next)
	}
	l.record(today().Add(-day), evidence.KindAnswer, evidence.Agreement{Application: "bookstore", Person: "alice", Answers: id, Text: "who cares"})
	wantStage(t, l.assess(nil), 0) // an answer that nobody signed is none
	l.state(today().Add(-day), evidence.KindAnswer, "alice", func(a *evidence.Agreement) { a.Answers, a.Text = id, "the rotation begins in May" })
	wantStage(t, l.assess(nil), 1)
}

func TestSeen(t *testing.T) {
	l := climbed(t, bookstore(t))
	dave := playbook.Row[playbook.Person]{ID: "dave", Value: playbook.Person{Email: "dave@example.com", Keys: []string{evidence.AuthorizedKey(signerOf(t, "dave").PublicKey())}}}
	l.pb.People = append(l.pb.People, dave)
	if a := l.assess(nil); criterion(t, a, "agreement").State == stage.Met {
		wantCriterion(t, a, "seen", stage.Unmet, "not yet seen or signed by dave")
	}
	l.state(today().Add(-day), evidence.KindSeen, "dave", nil)
	if c := criterion(t, l.assess(nil), "seen"); strings.Contains(c.Why, "dave") && c.State != stage.Met {
		t.Errorf("after dave has seen it: %s: %s", c.State, c.Why)
	}
}

func TestExpiry(t *testing.T) {
	l := climbed(t, bookstore(t))
	a := l.assess(func(in *stage.Input) { in.Now = today().Add(354*day + time.Hour) })
	wantStage(t, a, 1)
	a = l.assess(func(in *stage.Input) { in.Now = today().Add(355*day + time.Hour) })
	wantStage(t, a, 0)
	wantCriterion(t, a, "agreement", stage.Expired, "more than 365 days ago")
	wantCriterion(t, a, "failover-exercise", stage.Met, "")
	if len(a.Lost) == 0 {
		t.Error("nothing says why the stage was lost")
	}
	a = l.assess(func(in *stage.Input) { in.Policy.Exercise = 8 * day })
	wantCriterion(t, a, "failover-exercise", stage.Expired, "api-failure on 2026-11-13 is more than 8 days ago")
}

func TestWaiver(t *testing.T) {
	waive := func(l *ledger, criterion, approver string, until time.Time) {
		w, err := evidence.Waiver{Application: "bookstore", Criterion: criterion, Person: "bob", Approver: approver, Reason: "on leave", Until: until}.
			Sign(today(), signerOf(l.t, approver))
		if err != nil {
			l.t.Fatal(err)
		}
		payload, err := json.Marshal(w)
		if err != nil {
			l.t.Fatal(err)
		}
		l.add(today(), evidence.Draft{Kind: evidence.KindWaiver, Payload: payload})
	}
	later := today().Add(day)
	for name, test := range map[string]struct {
		criterion, approver string
		until               time.Time
		state               stage.State
	}{
		"good":            {"agreement", "alice", later, stage.Waived},
		"over":            {"agreement", "alice", today(), stage.Unmet},
		"without an end":  {"agreement", "alice", time.Time{}, stage.Unmet},
		"by oneself":      {"agreement", "bob", later, stage.Unmet},
		"by a stranger":   {"agreement", "mallory", later, stage.Unmet},
		"of the exercise": {"failover-exercise", "alice", later, stage.Unmet},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, pb: bookstore(t)}
			waive(l, test.criterion, test.approver, test.until)
			wantCriterion(t, l.assess(nil), test.criterion, test.state, "")
		})
	}
}

func TestPrerequisites(t *testing.T) {
	tests := map[string]struct {
		change    func(*playbook.Playbook)
		criterion string
		why       string
	}{
		"no probe":      {func(pb *playbook.Playbook) { pb.Services[1].Value.Probes = nil }, "observability", "database has no probe"},
		"no metrics":    {func(pb *playbook.Playbook) { pb.Services[1].Value.Observability = nil }, "observability", "database names no metrics or logs"},
		"unknown":       {func(pb *playbook.Playbook) { pb.Services[1].Value.Critical.Level = playbook.Unknown }, "critical-dependencies", "database: criticality is unknown"},
		"unknown too":   {func(pb *playbook.Playbook) { pb.Services[1].Value.Critical.Level = playbook.Unknown }, "non-critical-dependencies", "database may be one"},
		"no rto":        {func(pb *playbook.Playbook) { pb.Services[0].Value.RTO = 0 }, "critical-dependencies", "api has no rto"},
		"no services":   {func(pb *playbook.Playbook) { pb.Services = nil }, "observability", "no service is written down"},
		"no dr":         {func(pb *playbook.Playbook) { pb.Scenarios = pb.Scenarios[1:] }, "dr-playbook", "no scenario has class disaster-recovery"},
		"no way to ask": {func(pb *playbook.Playbook) { pb.People[1].Value.Email = "" }, "dr-playbook", "bob cannot be reached"},
		"nobody told":   {func(pb *playbook.Playbook) { pb.Notifications = nil }, "dr-playbook", "no notification"},
		"not covered":   {func(pb *playbook.Playbook) { pb.Scenarios = pb.Scenarios[:1] }, "critical-playbooks", "no scenario covers database"},
		"no threshold":  {func(pb *playbook.Playbook) { pb.Services[1].Value.Critical.Level = playbook.Never }, "thresholds", "database has no threshold"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := climbed(t, bookstore(t))
			test.change(l.pb)
			a := l.assess(func(in *stage.Input) {
				if name == "no metrics" {
					in.Records = nil
				}
			})
			wantStage(t, a, 0)
			wantCriterion(t, a, "prerequisite-"+test.criterion, stage.Unmet, test.why)
		})
	}
	t.Run("lint", func(t *testing.T) {
		l := climbed(t, bookstore(t))
		a := l.assess(func(in *stage.Input) { in.LintBlockers = []string{"probe needs a fault"} })
		wantStage(t, a, 0)
		wantCriterion(t, a, "prerequisite-lint-clean", stage.Unmet, "1 blocker: probe needs a fault")
	})
	t.Run("a probe that was seen to answer", func(t *testing.T) {
		l := climbed(t, bookstore(t))
		l.pb.Services[0].Value.Observability = nil
		c := criterion(t, l.assess(nil), "prerequisite-observability")
		if c.State != stage.Met || !slices.Equal(c.Evidence, []string{"R005"}) {
			t.Errorf("%s %v: %s", c.State, c.Evidence, c.Why)
		}
	})
	t.Run("thresholds", func(t *testing.T) {
		for _, tolerance := range []*playbook.Tolerance{{For: hours(1)}, {Level: "unknown, test planned"}} {
			l := climbed(t, bookstore(t))
			l.pb.Services[1].Value.Critical.Level = playbook.Never
			l.pb.Services[1].Value.Tolerates = tolerance
			wantCriterion(t, l.assess(nil), "prerequisite-thresholds", stage.Met, "")
		}
	})
}

func TestCadence(t *testing.T) {
	for name, test := range map[string]struct {
		daysAgo []int
		state   stage.State
		why     string
	}{
		"kept":     {[]int{100, 70, 40, 10}, stage.Met, "kept it 3 times in a row"},
		"never":    {nil, stage.Unmet, "api-failure: never exercised"},
		"too few":  {[]int{40, 10}, stage.Unmet, "api-failure: 2 exercises so far, 4 are needed in a row"},
		"a gap":    {[]int{100, 90, 50, 20}, stage.Unmet, "api-failure: 40 days between 2026-08-24 and 2026-10-03"},
		"old gap":  {[]int{300, 100, 70, 40, 10}, stage.Met, ""},
		"overdue":  {[]int{130, 100, 70, 40}, stage.Unmet, "api-failure: last exercised on 2026-10-13"},
		"at limit": {[]int{140, 105, 70, 35}, stage.Met, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{t: t, pb: bookstore(t)}
			l.pb.Scenarios = l.pb.Scenarios[:1]
			for i, ago := range test.daysAgo {
				l.exercise(today().Add(-time.Duration(ago)*day), "api-failure", func(r *exercise.Result) {
					if i == 0 {
						r.Verdict = exercise.Fail // practising counts, not passing
					}
				})
			}
			wantCriterion(t, l.assess(nil), "cadence", test.state, test.why)
		})
	}
}

func TestCriticalDependencies(t *testing.T) {
	l := climbed(t, bookstore(t))
	l.exercise(today().Add(-day), "database-failure", nil)
	wantCriterion(t, l.assess(nil), "critical-dependency-exercises", stage.Met, "api, database")
	wantCriterion(t, l.assess(nil), "production-exercise", stage.Unmet, "no exercise in production")

	l = climbed(t, bookstore(t))
	l.exercise(today().Add(-day), "database-failure", func(r *exercise.Result) { r.Production = true })
	wantCriterion(t, l.assess(nil), "critical-dependency-exercises", stage.Unmet, "database: no exercise")
	wantCriterion(t, l.assess(nil), "production-exercise", stage.Met, "database-failure")

	l = climbed(t, bookstore(t))
	l.exercise(today().Add(-day), "database-failure", func(r *exercise.Result) { r.Fault.Fidelity = "signal" })
	wantCriterion(t, l.assess(nil), "critical-dependency-exercises", stage.Unmet, "database: no exercise")
}

// Every criterion of the later stages is listed, with a reason and something to do.
func TestLaterStagesAreListed(t *testing.T) {
	a := climbed(t, bookstore(t)).assess(nil)
	seen := map[int]int{}
	ids := map[string]bool{}
	last := 0
	for _, c := range a.Criteria {
		seen[c.Stage]++
		if ids[c.ID] {
			t.Errorf("%s is listed twice", c.ID)
		}
		ids[c.ID] = true
		if c.Stage < last {
			t.Errorf("%s is out of order", c.ID)
		}
		last = c.Stage
		if c.Title == "" || c.Why == "" || c.Evidence == nil {
			t.Errorf("%s is not filled in: %+v", c.ID, c)
		}
		if (c.State == stage.Met) != (c.Next == "") {
			t.Errorf("%s is %s, next %q", c.ID, c.State, c.Next)
		}
	}
	for n, want := range map[int]int{0: 7, 1: 4, 2: 2, 3: 3, 4: 2, 5: 3} {
		if seen[n] != want {
			t.Errorf("stage %d has %d criteria, want %d", n, seen[n], want)
		}
	}
}
