package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/internal/cli"
)

// walk calls visit for every command that a person can find, in the order of the tree.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	if cmd.Hidden {
		return
	}
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func TestEveryCommandReadsWell(t *testing.T) {
	walk(cli.NewRoot(), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if s := cmd.Short; s == "" || strings.HasSuffix(s, ".") || len(s) > 80 {
			t.Errorf("%s: short text %q: wanted, at most 80 letters, no full stop", path, s)
		}
		if cmd.Runnable() && !cmd.HasSubCommands() && !strings.Contains(cmd.Example, "$ belay") {
			t.Errorf("%s: no example that begins with `$ belay`", path)
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			if !strings.Contains(line, "$ belay ") {
				continue
			}
			words := strings.Fields(line[strings.Index(line, "$ belay ")+len("$ belay "):])
			if at, _, err := cmd.Root().Find(words); err != nil || at == cmd.Root() {
				t.Errorf("%s: example %q names no command", path, line)
			}
		}
	})
}

// The overview shows every command of the first level.
func TestOverviewIsComplete(t *testing.T) {
	shown := cli.Chapters()
	root := cli.NewRoot()
	for _, cmd := range root.Commands() {
		if cmd.Hidden || cmd.IsAdditionalHelpTopicCommand() {
			continue
		}
		if !slices.Contains(shown, cmd.Name()) {
			t.Errorf("%s is in no chapter of help.go", cmd.Name())
		}
	}
	for _, name := range shown {
		if cmd, _, err := root.Find([]string{name}); name != "help" && (err != nil || cmd == root) {
			t.Errorf("chapter names %s, which is no command", name)
		}
	}
}

// Every command has a script that runs it: `belay NAME` stands in one of them.
func TestEveryCommandHasAScript(t *testing.T) {
	paths, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	walk(cli.NewRoot(), func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Runnable() && !cmd.HasSubCommands() &&
			!strings.Contains(all.String(), cmd.CommandPath()) {
			t.Errorf("no script in testdata/script runs `%s`", cmd.CommandPath())
		}
	})
}

//go:generate go test -run ^TestReference$ . -update

// docs/reference/cli.md is the help of every command, word for word.
func TestReference(t *testing.T) {
	// Some defaults are the user's name; the reference is nobody's.
	for _, name := range []string{"BELAY_AS", "USER", "LOGNAME"} {
		t.Setenv(name, "")
	}
	var b bytes.Buffer
	b.WriteString("# Commands\n\nThe help of every command, as `belay COMMAND --help` prints it. Made by `make generate`.\n")
	walk(cli.NewRoot(), func(cmd *cobra.Command) {
		var out, errs bytes.Buffer
		words := strings.Fields(cmd.CommandPath())[1:]
		code := cli.Main(context.Background(), append([]string{"help"}, words...), strings.NewReader(""), &out, &errs)
		if code != 0 || errs.Len() > 0 {
			t.Errorf("help %s: exit code %d, %s", words, code, errs.String())
		}
		b.WriteString("\n## " + cmd.CommandPath() + "\n\n```text\n" + out.String() + "```\n")
	})
	golden(t, "../../docs/reference/cli.md", b.Bytes())
}

// golden compares got with a file, or rewrites the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale, run make generate (-want +got):\n%s", path, diff)
	}
}
