package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
	"github.com/belay-dr/belay/playbook/start"
)

// fromFiles loads what init would write.
func fromFiles(files []start.File) (*playbook.Playbook, error) {
	fsys := fstest.MapFS{}
	for _, f := range files {
		fsys[f.Path] = &fstest.MapFile{Data: []byte(f.Text)}
	}
	return playbook.Load(fsys, cli.Kinds())
}

// TestInitIsAlwaysValid: whatever people answer, the playbook loads, lint has no blocker, and the words are still theirs.
func TestInitIsAlwaysValid(t *testing.T) {
	word := rapid.StringMatching(`[ -~]{1,30}`)
	name := rapid.StringMatching(`[A-Za-z][ -~äéø]{0,30}`)
	id := rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9-]{0,20}`), rapid.SampledFrom([]string{"on", "null", "true", "7", "0x10", "1e3", "N"}))
	rapid.Check(t, func(rt *rapid.T) {
		s := start.Service{ID: id.Draw(rt, "service"), URL: "http://127.0.0.1:8080/" + rapid.StringMatching(`[a-z?=&#%~]{0,10}`).Draw(rt, "path")}
		s.Restart = strings.TrimSpace(word.Draw(rt, "restart"))
		if s.Restart != "" && rapid.Bool().Draw(rt, "stops") {
			s.Stop = strings.TrimSpace(word.Draw(rt, "stop"))
		} else if rapid.Bool().Draw(rt, "kills") {
			s.PIDFile = "/run/" + rapid.StringMatching(`[a-z: '"]{1,10}`).Draw(rt, "pid file")
		}
		s.Comments = []string{word.Draw(rt, "comment")}
		a := start.Answers{
			Application: id.Draw(rt, "application"), Team: word.Draw(rt, "team"),
			Person: start.Person{Name: name.Draw(rt, "person"), Email: "a@example.com", Phone: word.Draw(rt, "phone")}, Services: []start.Service{s},
		}
		files, err := start.Files(a)
		if err != nil {
			rt.Fatal(err)
		}
		pb, err := fromFiles(files)
		if err != nil {
			rt.Fatalf("the playbook is not valid: %v\n%s", err, files[0].Text)
		}
		if blockers := lint.Blockers(lint.Check(pb)); len(blockers) > 0 {
			rt.Fatalf("lint has a blocker: %+v", blockers)
		}
		if got := pb.People[0].Value.Name; got != strings.TrimSpace(a.Person.Name) {
			rt.Fatalf("the person is called %q, want %q", got, a.Person.Name)
		}
		if s.Restart == "" {
			return
		}
		b := pb.Actions[0].Value.Bindings[0].Value
		got, err := playbook.Expand(b.Shell+strings.Join(b.Run, " "), func(string) (string, bool) { return "", false })
		if err != nil || got != s.Restart && got != strings.Join(strings.Fields(s.Restart), " ") {
			rt.Fatalf("the command became %q (%v), want %q", got, err, s.Restart)
		}
	})
}

// TestInitAsks walks through the questions as a person would.
func TestInitAsks(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		answers []string
		want    []string
	}{
		{
			"everything", nil,
			[]string{"", "Alice <alice@example.com>", "555", "", "http://127.0.0.1:9/", "start web", "", "stop web"},
			[]string{"application: shop", "email: \"alice@example.com\"", "phone: \"555\"", "  web:", "inject: [stop, web]"},
		},
		{
			"only what is missing",
			[]string{"--application", "a", "--person", "Bob", "--phone", "1", "--service", "api", "--url", "http://127.0.0.1:9/"},
			[]string{"start api", "/run/api.pid"},
			[]string{"application: a", "pid_file: /run/api.pid"},
		},
		{"nothing to break it with", nil, []string{"b", "Bob", "", "web", "", "", ""}, []string{"# fault:", "manual: Start web again"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "shop")
			var out, errs bytes.Buffer
			app := &cli.App{
				Stdin: strings.NewReader(strings.Join(tt.answers, "\n") + "\n"), Stdout: &out, Stderr: &errs,
				Clock: clock.System{}, Env: func(string) (string, bool) { return "", false }, Interactive: true,
			}
			if code := app.Run(context.Background(), append([]string{"init", dir}, tt.args...)); code != 0 {
				t.Fatalf("exit %d: %s", code, errs.String())
			}
			var text strings.Builder
			for _, pattern := range []string{"belay.yaml", "scenarios/*.yaml"} {
				names, err := filepath.Glob(filepath.Join(dir, pattern))
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range names {
					b, err := os.ReadFile(n)
					if err != nil {
						t.Fatal(err)
					}
					text.Write(b)
				}
			}
			for _, want := range tt.want {
				if !strings.Contains(text.String(), want) {
					t.Errorf("no %q in\n%s", want, text.String())
				}
			}
			if rest, _ := filepath.Glob(filepath.Join(dir, ".belay-init-*")); len(rest) > 0 {
				t.Errorf("drafts are left behind: %v", rest)
			}
		})
	}
}

// TestInitWritesAllOrNothing takes the right to write the second file away.
func TestInitWritesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	// A file where the folder of the scenarios has to be: belay.yaml can be placed and the scenario cannot.
	if err := os.WriteFile(filepath.Join(dir, "scenarios"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	app := &cli.App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Clock: clock.System{}, Env: func(string) (string, bool) { return "", false }}
	code := app.Run(context.Background(), []string{"init", dir, "--application", "a", "--person", "Bob", "--service", "web", "--url", "http://127.0.0.1:9/"})
	if code == 0 || !strings.Contains(errs.String(), "write playbook") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}
