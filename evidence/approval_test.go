package evidence_test

import (
	"testing"
	"time"

	"github.com/belay-dr/belay/evidence"
)

func TestApproval(t *testing.T) {
	key, public := signer(t, 1)
	_, stranger := signer(t, 2)
	now := noon()
	a := evidence.Approval{
		Application: "bookstore", Scenario: "api-failure", Environment: "production", Intent: "sha256:1",
		Person: "alice", Role: "stakeholder", Until: now.Add(4 * time.Hour),
	}
	if a.Counts("bookstore", "production", "sha256:1", []string{public}, now) {
		t.Error("it counts without a signature")
	}
	signed, err := a.Sign(now, key)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := signed.Draft([]string{public}); err != nil || d.Grade != evidence.Attested || d.Kind != evidence.KindApproval || d.Subject != "api-failure" {
		t.Errorf("draft %+v, %v", d, err)
	}
	type asked struct {
		app, env, intent string
		keys             []string
		now              time.Time
	}
	good := asked{"bookstore", "production", "sha256:1", []string{public}, now.Add(time.Hour)}
	for name, c := range map[string]struct {
		change func(*asked, *evidence.Approval)
		want   bool
	}{
		"as it is":            {func(*asked, *evidence.Approval) {}, true},
		"another application": {func(q *asked, _ *evidence.Approval) { q.app = "shop" }, false},
		"another environment": {func(q *asked, _ *evidence.Approval) { q.env = "staging" }, false},
		"another plan":        {func(q *asked, _ *evidence.Approval) { q.intent = "sha256:2" }, false},
		"no plan":             {func(q *asked, a *evidence.Approval) { q.intent, a.Intent = "", "" }, false},
		"another's key":       {func(q *asked, _ *evidence.Approval) { q.keys = []string{stranger} }, false},
		"over":                {func(q *asked, _ *evidence.Approval) { q.now = now.Add(4 * time.Hour) }, false},
		"not yet":             {func(q *asked, _ *evidence.Approval) { q.now = now.Add(-time.Hour) }, false},
		"made longer":         {func(_ *asked, a *evidence.Approval) { a.Until = a.Until.Add(time.Hour) }, false},
		"for somebody else":   {func(_ *asked, a *evidence.Approval) { a.Person = "bob" }, false},
		"for another role":    {func(_ *asked, a *evidence.Approval) { a.Role = "operations" }, false},
		"for another plan":    {func(q *asked, a *evidence.Approval) { q.intent, a.Intent = "sha256:2", "sha256:2" }, false},
	} {
		q, a := good, signed
		c.change(&q, &a)
		if got := a.Counts(q.app, q.env, q.intent, q.keys, q.now); got != c.want {
			t.Errorf("%s: counts is %v", name, got)
		}
	}
}
