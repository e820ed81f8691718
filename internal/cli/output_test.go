package cli_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/internal/cli"
)

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

// A command whose output was not written has not done what it was asked for; a reader that has had enough is no error.
func TestLostOutput(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := run(t, "init", dir, "--application", "shop", "--person", "Alice", "--service", "web", "--url", "http://127.0.0.1:8080/"); code != 0 {
		t.Fatal(stderr)
	}
	commands := [][]string{
		{"stage", "--dir", dir},
		{"stage", "--dir", dir, "--json"},
		{"evidence", "list", "--dir", dir},
		{"exercise", "list", "--dir", dir},
		{"lint", dir},
		{"render", dir},
		{"version"},
		{"help"},
		{"help", "exit-codes"},
		{"completion", "bash"},
		{"fault", "capabilities"},
	}
	for _, args := range commands {
		for _, test := range []struct {
			stdout io.Writer
			code   int
			lines  int
		}{
			{broken{syscall.ENOSPC}, 1, 1},
			{broken{errors.New("unplugged")}, 1, 1},
			{broken{syscall.EPIPE}, 0, 0},
		} {
			var stderr bytes.Buffer
			code := cli.Main(t.Context(), args, strings.NewReader(""), test.stdout, &stderr)
			if code != test.code || strings.Count(stderr.String(), "\n") != test.lines {
				t.Errorf("belay %s, %v: exit code %d, want %d; %q", strings.Join(args, " "), test.stdout, code, test.code, stderr.String())
			}
		}
	}
	// What was found goes before what was lost.
	var stderr bytes.Buffer
	if code := cli.Main(t.Context(), []string{"doctor", "--dir", dir}, strings.NewReader(""), broken{syscall.ENOSPC}, &stderr); code != 3 ||
		stderr.String() != "belay: error: write output: no space left on device\n" {
		t.Errorf("doctor: exit code %d, %q", code, stderr.String())
	}
}
