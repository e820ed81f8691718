package act

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/exercise"
)

func fileCheck(path string) *exercise.Check {
	config, _ := json.Marshal(map[string]string{"path": path})
	return &exercise.Check{Kind: "file", Config: config}
}

func run(n exercise.Node) exercise.Command {
	n.ID = "step"
	if n.Timeout == 0 {
		n.Timeout = 5 * time.Second
	}
	return exercise.Command{ID: "step#1#1", Kind: exercise.DoRun, Step: &n, Attempt: 1}
}

func TestDo(t *testing.T) {
	dir := t.TempDir()
	there, gone := fileCheck("/"), fileCheck(dir+"/nothing")
	for _, c := range []struct {
		name string
		do   exercise.Command
		want exercise.EventKind
		text string
		out  string
	}{
		{"a program", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"echo", "hello"}}), exercise.CommandDone, "", "hello\n"},
		{"a shell line", run(exercise.Node{Kind: exercise.NodeRun, Shell: "echo $((1+1))"}), exercise.CommandDone, "", "2\n"},
		{"no shell", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"echo", "$HOME"}}), exercise.CommandDone, "", "$HOME\n"},
		{"exit code", run(exercise.Node{Kind: exercise.NodeRun, Shell: "echo bad; exit 3"}), exercise.CommandFailed, "exit code 3: bad", "bad\n"},
		{"no such program", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"no-such-program-here"}}), exercise.CommandFailed, "no-such-program-here", ""},
		{"too slow", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"sleep", "20"}, Timeout: 50 * time.Millisecond}), exercise.CommandFailed, "not over within 50ms", ""},
		{"expectation holds", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"true"}, Expect: there}), exercise.CommandDone, "", ""},
		{"expectation never holds", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"true"}, Expect: gone, Timeout: 200 * time.Millisecond}), exercise.CommandFailed, "was not seen to work", ""},
		{"expectation holds later", run(exercise.Node{Kind: exercise.NodeRun, Shell: "(sleep 0.2; touch " + dir + "/later) >/dev/null 2>&1 &", Expect: fileCheck(dir + "/later")}), exercise.CommandDone, "", ""},
		{"a check", run(exercise.Node{Kind: exercise.NodeCheck, Check: there}), exercise.CommandDone, "", ""},
		{"unknown check", run(exercise.Node{Kind: exercise.NodeCheck, Check: &exercise.Check{Kind: "magic"}, Timeout: 150 * time.Millisecond}), exercise.CommandFailed, "unknown kind", ""},
		{"a pause", run(exercise.Node{Kind: exercise.NodeWait, Wait: time.Millisecond}), exercise.CommandDone, "", ""},
		{"for people", run(exercise.Node{Kind: exercise.NodeManual}), exercise.CommandFailed, "for people", ""},
		{"capture missing", run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"echo", "x"}, Captures: []exercise.Capture{{Name: "v", Regexp: "id=(\\d+)"}}}), exercise.CommandFailed, "capture v: nothing in the output matches", "x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &Actor{Dir: dir, Poll: 10 * time.Millisecond}
			e := a.Do(context.Background(), c.do)
			if e.Kind != c.want || !strings.Contains(e.Text, c.text) || e.Output != c.out || e.Command != "step#1#1" {
				t.Errorf("got %s %q with output %q, want %s %q with %q", e.Kind, e.Text, e.Output, c.want, c.text, c.out)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	there, gone := fileCheck("/"), fileCheck("/nothing/here")
	for _, c := range []struct {
		name    string
		options []exercise.Option
		want    string
	}{
		{"first that holds", []exercise.Option{{ID: "a", If: gone}, {ID: "b", If: there}, {ID: "c"}}, "b"},
		{"without a condition", []exercise.Option{{ID: "a", If: gone}, {ID: "b"}}, "b"},
		{"none", []exercise.Option{{ID: "a", If: gone}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &Actor{}
			e := a.Do(context.Background(), exercise.Command{Kind: exercise.DoDecide, Step: &exercise.Node{Options: c.options}})
			if e.Choice != c.want || (e.Kind == exercise.CommandDone) != (c.want != "") {
				t.Errorf("chose %q (%s)", e.Choice, e.Kind)
			}
		})
	}
}

func TestCaptures(t *testing.T) {
	output := `{"Instances": [{"InstanceId": "i-1", "Cores": 4}], "note": "id=77"}`
	for _, c := range []struct {
		capture exercise.Capture
		want    string
	}{
		{exercise.Capture{JSON: "$.Instances[0].InstanceId"}, "i-1"},
		{exercise.Capture{JSON: "$.Instances[0].Cores"}, "4"},
		{exercise.Capture{JSON: "$.nothing"}, ""},
		{exercise.Capture{Regexp: `id=(\d+)`}, "77"},
		{exercise.Capture{Regexp: `id=\d+`}, ""},
		{exercise.Capture{}, output},
	} {
		got, err := capture(c.capture, output+"\n")
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: got %q, %v", c.capture, got, err)
		}
	}
}

// A secret reaches the program by its environment and leaves in no text; a sensitive capture reaches the next step only.
func TestSecrets(t *testing.T) {
	a := &Actor{
		Env:      func(name string) (string, bool) { return "hunter2", name == "DB" },
		ReadFile: func(string) ([]byte, error) { return nil, errors.New("no such file") },
	}
	e := a.Do(context.Background(), run(exercise.Node{
		Kind: exercise.NodeRun, Shell: "echo got $DB_PASSWORD; echo token-4711", Secrets: []exercise.Secret{{Name: "db-password", Env: "DB"}},
		Captures: []exercise.Capture{{Name: "token", Regexp: "(token-.*)", Sensitive: true}},
	}))
	if e.Kind != exercise.CommandDone || strings.Contains(e.Output, "hunter2") || strings.Contains(e.Output, "4711") || !strings.Contains(e.Output, "got <secret db-password>") {
		t.Errorf("output %q (%s %s)", e.Output, e.Kind, e.Text)
	}
	if len(e.Captures) != 1 || e.Captures[0].Value != "" || !e.Captures[0].Sensitive {
		t.Errorf("captures %+v", e.Captures)
	}
	e = a.Do(context.Background(), run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"test", "\uE000token\uE001", "=", "token-4711"}}))
	if e.Kind != exercise.CommandDone {
		t.Errorf("the next step did not get the value: %s %s", e.Kind, e.Text)
	}
	e = a.Do(context.Background(), run(exercise.Node{Kind: exercise.NodeRun, Argv: []string{"true"}, Secrets: []exercise.Secret{{Name: "x", File: "/no"}}}))
	if e.Kind != exercise.CommandFailed || !strings.Contains(e.Text, "read secret x") {
		t.Errorf("a missing secret: %s %s", e.Kind, e.Text)
	}
}
