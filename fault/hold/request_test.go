package hold

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
)

func TestParseRequest(t *testing.T) {
	const spec = `"fault": {"file": {"lost": "/x"}}`
	for text, want := range map[string]string{
		`{` + spec + `, "limit": "1s"}`:                      "",
		`{` + spec + `, "limit": "1s", "beat": "1s"}`:        "",
		`{` + spec + `, "limit": "1s", "id": "../x"}`:        "only letters, digits, - and _",
		`{` + spec + `, "limit": "1s"} {}`:                   "more than one JSON value",
		`{` + spec + `}`:                                     "limit is missing",
		`{` + spec + `, "limit": "0s"}`:                      "limit is 0s; it must be above zero",
		`{` + spec + `, "limit": "25h"}`:                     "limit is 25h0m0s; the longest is 24h0m0s",
		`{` + spec + `, "limit": "30"}`:                      "missing unit",
		`{` + spec + `, "limit": 30}`:                        "cannot unmarshal number",
		`{` + spec + `, "limit": "1s", "beat": "0s"}`:        "beat is 0s; it must be above zero",
		`{` + spec + `, "limit": "1s", "beat": "1ms"}`:       "beat is 1ms; the shortest is 10ms",
		`{"limit": "1s"}`:                                    "fault is missing",
		`{"fault": {}, "limit": "1s"}`:                       "exactly one kind",
		`{"fault": {"a": 1, "b": 2}, "limit": "1s"}`:         "exactly one kind",
		`{` + spec + `, "limit": "1s", "permit": {"x": ""}}`: `unknown field "x"`,
		``: "EOF",
	} {
		_, err := ParseRequest([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"no_playbook": "x", "fault": {"file": {"lost": "/x"}}, "limit": "1s", "beat": "10ms", "id": "a"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRequest(text)
		if err != nil {
			return
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseRequest(b)
		if err != nil || again.Limit != r.Limit || again.Beat != r.Beat || again.ID != r.ID || again.Fault.Kind != r.Fault.Kind {
			t.Errorf("%s became %s: %v", text, b, err)
		}
	})
}

func TestAllowed(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	permit := func(change func(*fault.Permit)) *fault.Permit {
		p := &fault.Permit{Exercise: "e1", Environment: "staging", Plan: "sha256:1", Expires: now.Add(time.Minute)}
		change(p)
		return p
	}
	keep := func(*fault.Permit) {}
	for name, c := range map[string]struct {
		r      Request
		marked bool
		want   string
	}{
		"permit":                     {Request{Permit: permit(keep)}, false, ""},
		"reason":                     {Request{NoPlaybook: "discovery"}, false, ""},
		"neither":                    {Request{}, false, "no permit"},
		"reason in production":       {Request{NoPlaybook: "discovery", Production: true}, false, "needs a permit"},
		"reason on a marked host":    {Request{NoPlaybook: "discovery"}, true, "needs a permit"},
		"staging permit, production": {Request{Permit: permit(keep), Production: true}, false, "which is not production"},
		"staging permit, marked":     {Request{Permit: permit(keep)}, true, "which is not production"},
		"production permit":          {Request{Permit: permit(func(p *fault.Permit) { p.Production = true }), Production: true}, true, ""},
		"expired":                    {Request{Permit: permit(func(p *fault.Permit) { p.Expires = now })}, false, "expired at 2026-11-22T09:00:00Z"},
		"never expires":              {Request{Permit: permit(func(p *fault.Permit) { p.Expires = time.Time{} })}, false, "expired"},
		"no plan":                    {Request{Permit: permit(func(p *fault.Permit) { p.Plan = "" })}, false, "names no exercise, environment or plan"},
		"another exercise":           {Request{Permit: permit(keep), Exercise: "e2"}, false, "is for exercise e1, not e2"},
	} {
		err := c.r.allowed(now, c.marked)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrRefused)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestHistory forgets old ends, but never what still keeps an original.
func TestHistory(t *testing.T) {
	k := newKeeper(nil, t.TempDir())
	original := filepath.Join(t.TempDir(), ".app.db.belay-f1")
	if err := os.WriteFile(original, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range history + 10 {
		r := &Record{Format: format, Status: fault.Status{ID: newID(), State: fault.Reverted, Since: since.Add(time.Duration(n) * time.Hour)}}
		switch n {
		case 0:
			r.Status.State, r.Status.Kept = fault.Superseded, []string{original}
		case 1:
			r.Status.State = fault.Held
		}
		p := settled
		if n == 1 {
			p = held
		}
		if err := k.save(r, p); err != nil {
			t.Fatal(err)
		}
	}
	k.prune()
	all, err := k.all()
	if err != nil || len(all) != history+2 {
		t.Fatalf("%d records, %v, want %d", len(all), err, history+2)
	}
	if all[0].Status.State != fault.Superseded || all[1].Status.State != fault.Held {
		t.Errorf("it forgot what must be kept: %v %v", all[0].Status.State, all[1].Status.State)
	}
}

// TestSpec is what a request breaks: one fault, or several as a group, with the namespace written into each.
func TestSpec(t *testing.T) {
	for line, want := range map[string]string{
		`{"no_playbook": "x", "limit": "1s", "fault": {"network": {"partition": {"to": ["a"]}}}}`:             `{"network":{"partition": {"to": ["a"]}}}`,
		`{"no_playbook": "x", "limit": "1s", "fault": {"network": {"delay": 1}}, "netns": "blue"}`:            `{"network":{"delay":1,"netns":"blue"}}`,
		`{"no_playbook": "x", "limit": "1s", "faults": [{"a": {}}, {"b": 2}]}`:                                `{"all":[{"a":{}},{"b":2}]}`,
		`{"no_playbook": "x", "limit": "1s", "faults": [{"a": {}}]}`:                                          `{"a":{}}`,
		`{"no_playbook": "x", "limit": "1s", "faults": [{"a": {}}, {"b": {"c": 1}}], "netns": "blue"}`:        `{"all":[{"a":{"netns":"blue"}},{"b":{"c":1,"netns":"blue"}}]}`,
		`{"no_playbook": "x", "limit": "1s", "fault": {"file": "short"}, "netns": "blue"}`:                    "the fault file has no network namespace",
		`{"no_playbook": "x", "limit": "1s", "fault": {"network": {"netns": "red"}}, "netns": "blue"}`:        "the fault names its own",
		`{"no_playbook": "x", "limit": "1s", "fault": {"a": {}}, "faults": [{"b": {}}]}`:                      "fault and faults are both there",
		`{"no_playbook": "x", "limit": "1s", "faults": []}`:                                                   "fault is missing",
		`{"no_playbook": "x", "limit": "1s", "faults": [` + strings.Repeat(`{"a": {}},`, 100) + `{"a": {}}]}`: "101 faults; one holder holds at most 100",
	} {
		r, err := ParseRequest([]byte(line))
		var spec fault.Spec
		if err == nil {
			spec, err = r.Spec()
		}
		got := ""
		if err == nil {
			b, _ := json.Marshal(spec)
			got = string(b)
		}
		if got != strings.ReplaceAll(want, ": ", ":") && (err == nil || !strings.Contains(err.Error(), want)) && got != want {
			t.Errorf("%.120s: %s, %v, want %s", line, got, err, want)
		}
	}
}
