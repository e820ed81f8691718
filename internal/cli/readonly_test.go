package cli_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/internal/clock"
)

// run runs one command line and returns its exit code and what it wrote.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Main(t.Context(), args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// snapshot is every file and directory below dir, with its size and the time at which it was changed.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		found[path] = info.ModTime().String() + " " + info.Mode().String()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// reports are the commands that only read.
func reports() [][]string {
	return [][]string{
		{"stage"},
		{"stage", "explain"},
		{"evidence", "list"},
		{"evidence", "show", "1"},
		{"evidence", "verify"},
		{"exercise", "list"},
	}
}

// What only reads makes and changes nothing, not even a moment of a file in the directory of the ledger.
func TestReportsLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := run(t, "init", dir, "--application", "shop", "--person", "Alice", "--service", "web", "--url", "http://127.0.0.1:8080/"); code != 0 {
		t.Fatal(stderr)
	}
	path := filepath.Join(dir, ".belay", "ledger.db")
	ledger, err := sqlite.Open(t.Context(), path, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Append(t.Context(), evidence.Draft{Kind: evidence.KindNote, Grade: evidence.Claimed, Payload: []byte(`{"text":"hello"}`)}); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Close(); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, dir)
	for _, args := range reports() {
		if code, _, stderr := run(t, append(args, "--dir", dir)...); code != 0 {
			t.Errorf("belay %s: exit code %d: %s", strings.Join(args, " "), code, stderr)
		}
		if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
			t.Errorf("belay %s left a trace:\n%s", strings.Join(args, " "), diff)
		}
	}
}

func TestNoLedgerIsNamed(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, ".belay", "ledger.db"), "a text")
	for _, args := range [][]string{{"evidence", "verify"}, {"evidence", "list"}, {"exercise", "list"}} {
		code, _, stderr := run(t, append(args, "--dir", dir)...)
		want := "belay: error: open ledger " + dir + "/.belay/ledger.db: it is no ledger of belay: the file is not a SQLite database\nbelay: hint: --dir names"
		if code != 1 || !strings.HasPrefix(stderr, want) {
			t.Errorf("belay %s: exit code %d: %s\nwant %s", strings.Join(args, " "), code, stderr, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, ".belay", "ledger.db")); err != nil || string(text) != "a text" {
		t.Errorf("the file is now %q: %v", text, err)
	}
}
