package fault_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
)

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b, want string
	}{
		{"/srv/app", "/srv/app", "/srv/app"},
		{"/srv/app", "/srv/app/data", "/srv/app/data"},
		{"/srv/app/data", "/srv/app", "/srv/app"},
		{"/srv/app", "/srv/app2", ""},
		{"/", "/srv", "/srv"},
		{"process 1", "process 1", "process 1"},
		{"process 1", "process 11", ""},
		{"cgroup /a", "cgroup /a/b", ""}, // whoever claims a group names what is in it
	} {
		if got := fault.Overlap([]string{"other", c.a}, []string{c.b}); got != c.want {
			t.Errorf("%s and %s: %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

// places is a fault that touches what its config says.
type places struct {
	Touches []string `json:"touches"`
}

func (p *places) CheckConfig() map[string]string { return nil }
func (p *places) Target() fault.Target           { return p }
func (p *places) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return fault.Plan{Touches: p.Touches}, nil
}
func (p *places) Inject(context.Context, json.RawMessage, fault.Save) error { return nil }
func (p *places) Confirm(context.Context, json.RawMessage) (string, error)  { return "", nil }
func (p *places) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}
func (p *places) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }

// TestGroupApart refuses members that would be taken back at the same time, one inside the other.
func TestGroupApart(t *testing.T) {
	kinds := fault.Kinds{"places": func() fault.Config { return &places{} }}
	for inner, want := range map[string]string{"/srv/app/data": "another one of it has /srv/app already", "/srv/app2": ""} {
		spec, err := fault.Group([]fault.Spec{
			{Kind: "places", Config: json.RawMessage(`{"touches":["/srv/app"]}`)},
			{Kind: "places", Config: json.RawMessage(`{"touches":["` + inner + `"]}`)},
		})
		if err != nil {
			t.Fatal(err)
		}
		target, err := kinds.Decode(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("with %s: %v, want %q", inner, err, want)
		}
	}
}
