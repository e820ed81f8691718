package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/evidence/ledgertest"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/clock"
)

type file string

func (f file) Open(clk clock.Clock) (ledgertest.Ledger, error) {
	return sqlite.Open(context.Background(), string(f), clk)
}

func TestLedger(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledgertest.Store {
		return file(filepath.Join(t.TempDir(), ".belay", "ledger.db"))
	})
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".belay")
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"), clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.Name(), "ledger.db") {
			t.Errorf("%s was left behind", e.Name())
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o, want 600", e.Name(), info.Mode().Perm())
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: mode %o, %v; want 700", info.Mode().Perm(), err)
	}
}

func TestOpenOddNames(t *testing.T) {
	for _, name := range []string{"a b.db", "what?.db", "50%20.db", "#1.db", "é日本.db", "a&_pragma=synchronous(OFF).db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := sqlite.Open(t.Context(), path, clock.System{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	execute := func(t *testing.T, path, statement string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"symbolic link": {func(t *testing.T, path string) {
			if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path); err != nil {
				t.Fatal(err)
			}
		}, "it is a symbolic link, and a ledger never is"},
		"directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "it is not a regular file"},
		"text": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it is no ledger of belay: the file is not a SQLite database"},
		"empty": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "it is no ledger of belay: the file is empty"},
		"another database": {func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE books (title TEXT)")
		}, "it is no ledger of belay: the file is another database"},
		"newer schema": {func(t *testing.T, path string) {
			db, err := sqlite.Open(t.Context(), path, clock.System{})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			execute(t, path, "PRAGMA user_version = 2")
		}, "it was written by a newer belay: its schema is 2, this one knows 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			test.make(t, path)
			db, err := sqlite.Open(t.Context(), path, clock.System{})
			if err == nil {
				db.Close()
				t.Fatal("opened")
			}
			if got := err.Error(); !strings.HasPrefix(got, "open ledger "+path+": ") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want it to name the path and say %q", got, test.want)
			}
		})
	}
}
