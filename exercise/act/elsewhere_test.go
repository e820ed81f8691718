package act

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/exercise"
)

// fakeSSH is an ssh that runs the line here, and keeps the arguments that it was called with.
func fakeSSH(t *testing.T) (args string) {
	t.Helper()
	dir := t.TempDir()
	args = filepath.Join(dir, "args")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + args + "\nfor last; do :; done\nexec /bin/sh -c \"$last\"\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BELAY_SSH", filepath.Join(dir, "ssh"))
	return args
}

func TestElsewhere(t *testing.T) {
	args := fakeSSH(t)
	a := &Actor{Env: func(string) (string, bool) { return `hunter2 "quoted" $HOME \`, true }, ReadFile: func(string) ([]byte, error) { return nil, errors.New("none") }}
	secrets := []exercise.Secret{{Name: "db-password", Env: "DB"}}
	for _, c := range []struct {
		name string
		node exercise.Node
		want exercise.EventKind
		text string
		out  string
	}{
		{"words arrive as they are", exercise.Node{Argv: []string{"printf", "%s|", "a b", "it's", "$HOME", ""}}, exercise.CommandDone, "", "a b|it's|$HOME||"},
		{"a shell line", exercise.Node{Shell: "echo $((1+1))"}, exercise.CommandDone, "", "2\n"},
		{"a secret", exercise.Node{Shell: `printf '%s' "$DB_PASSWORD" | wc -c`, Secrets: secrets}, exercise.CommandDone, "", "24\n"},
		{"a secret that is shown", exercise.Node{Shell: `echo "$DB_PASSWORD"`, Secrets: secrets}, exercise.CommandDone, "", "<secret db-password>\n"},
		{"it fails there", exercise.Node{Shell: "echo bad; exit 3"}, exercise.CommandFailed, "exit code 3: bad", "bad\n"},
		{"no place", exercise.Node{Shell: "true", Where: "ssh://"}, exercise.CommandFailed, "not of the form ssh://user@host:port", ""},
		{"an option for ssh", exercise.Node{Shell: "true", Where: "ssh://-oProxyCommand=x"}, exercise.CommandFailed, "plain names", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.node.Kind = exercise.NodeRun
			if c.node.Where == "" {
				c.node.Where = "ssh://ops@app-1:2222"
			}
			e := a.Do(context.Background(), run(c.node))
			if e.Kind != c.want || !strings.Contains(e.Text, c.text) || e.Output != c.out {
				t.Errorf("got %s %q with output %q, want %s %q with %q", e.Kind, e.Text, e.Output, c.want, c.text, c.out)
			}
		})
	}
	b, err := os.ReadFile(args)
	if err != nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("the command line of ssh holds the secret, or nothing: %v", err)
	}
	for _, want := range []string{"BatchMode=yes", "-l\nops\n", "-p\n2222\n", "--\napp-1\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the command line lacks %q:\n%s", want, b)
		}
	}
}
