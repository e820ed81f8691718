package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/clock"
)

// readOnly is the reader process: it has no right to write path. It wants to read it, and to be told why it cannot write.
func readOnly(path string) error {
	ctx := context.Background()
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		return errors.Join(f.Close(), errors.New("the file can be written: the test shows nothing"))
	}
	db, err := sqlite.OpenReader(ctx, path, clock.System{})
	if err != nil {
		return err
	}
	defer db.Close()
	records, err := db.Verify(ctx)
	if err != nil {
		return err
	}
	fmt.Println(len(records))
	_, err = sqlite.Open(ctx, path, clock.System{})
	if want := "open ledger " + path + ": it can only be read: permission denied"; err == nil || err.Error() != want || !errors.Is(err, sqlite.ErrReadOnly) {
		return fmt.Errorf("open for writing: %v, want %s", err, want)
	}
	return nil
}

// files is what is in a directory: each name with its content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = string(text)
	}
	return found
}

// copyOf copies these files of a ledger into a new directory and returns the path of the ledger there.
func copyOf(t *testing.T, path string, suffixes ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range suffixes {
		text, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "ledger.db"+suffix), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "ledger.db")
}

// A reader changes nothing and makes nothing, whatever the writers have left beside the file.
func TestReaderLeavesNoTrace(t *testing.T) {
	db, _ := filled(t)
	path := db.Path()
	tests := map[string]struct {
		suffixes []string
		close    bool
	}{
		"a journal without its index": {suffixes: []string{"", "-wal"}},
		"left by a crash":             {suffixes: []string{"", "-wal", "-shm"}},
		"closed":                      {suffixes: []string{""}, close: true},
	}
	for _, name := range []string{"a journal without its index", "left by a crash", "closed"} {
		test := tests[name]
		t.Run(name, func(t *testing.T) {
			if test.close {
				path = closed(t)
			}
			copied := copyOf(t, path, test.suffixes...)
			before := files(t, filepath.Dir(copied))
			reader, err := sqlite.OpenReader(t.Context(), copied, clock.System{})
			if err != nil {
				t.Fatal(err)
			}
			records, err := reader.Verify(t.Context())
			if err != nil || len(records) != tamperedRecords {
				t.Errorf("%d records, %v", len(records), err)
			}
			_, err = reader.Append(t.Context(), evidence.Draft{Kind: evidence.KindNote, Grade: evidence.Claimed})
			if want := "append " + evidence.KindNote + " to ledger " + copied + ": it can only be read"; err == nil || err.Error() != want {
				t.Errorf("append: %v, want %s", err, want)
			}
			if err := reader.Close(); err != nil {
				t.Error(err)
			}
			after := files(t, filepath.Dir(copied))
			delete(before, "ledger.db-shm") // its marks of who reads are for the processes that are there
			delete(after, "ledger.db-shm")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the reader left a trace:\n%.2000s", diff)
			}
		})
	}
}

// closed makes a ledger that nobody has open.
func closed(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := write(path, fmt.Sprint(tamperedRecords)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A process that may not write the ledger reads it all the same.
func TestReaderWithoutRights(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // nobody must be able to start it
		text, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		exe = filepath.Join(open(t), "reader")
		if err := os.WriteFile(exe, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, suffixes := range map[string][]string{"closed": {""}, "with a journal": {"", "-wal"}, "left by a crash": {"", "-wal", "-shm"}} {
		for _, mode := range []fs.FileMode{0o755, 0o555} {
			t.Run(fmt.Sprintf("%s, directory %o", name, mode), func(t *testing.T) {
				path := closed(t)
				if len(suffixes) > 1 {
					db, _ := filled(t)
					path = db.Path()
				}
				copied := copyOf(t, path, suffixes...)
				dir := open(t)
				for _, suffix := range suffixes {
					if err := os.Rename(copied+suffix, filepath.Join(dir, "ledger.db"+suffix)); err != nil {
						t.Fatal(err)
					}
					if err := os.Chmod(filepath.Join(dir, "ledger.db"+suffix), 0o444); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Chmod(dir, mode); err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(exe)
				cmd.Env = append(os.Environ(), "LEDGER_READER="+filepath.Join(dir, "ledger.db"))
				if os.Geteuid() == 0 { // to root every file is open
					cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				}
				out, err := cmd.CombinedOutput()
				if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(tamperedRecords) {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
	}
}

// open makes a directory that everybody can reach.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ledger-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Chmod(dir, 0o755), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Readers see a whole chain while writers come and go.
func TestReaderBesideWriters(t *testing.T) {
	path := closed(t)
	done := make(chan error, 1)
	go func() {
		for range 30 {
			if err := write(path, "4"); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for reads := 1; ; reads++ {
		db, err := sqlite.OpenReader(t.Context(), path, clock.System{})
		if err != nil {
			t.Fatal(err)
		}
		if records, err := db.Verify(t.Context()); err != nil || len(records) < tamperedRecords {
			t.Fatalf("%d records: %v", len(records), err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d reads", reads)
			return
		default:
		}
	}
}

func TestOpenReaderRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if _, err := sqlite.OpenReader(t.Context(), path, clock.System{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if err := os.WriteFile(path, []byte("a text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.OpenReader(t.Context(), path, clock.System{}); !errors.Is(err, sqlite.ErrNoLedger) {
		t.Errorf("a text: %v", err)
	}
}

func TestLongPath(t *testing.T) {
	for _, length := range []int{480, 700} {
		dir := t.TempDir()
		for len(dir) < length {
			dir = filepath.Join(dir, strings.Repeat("d", min(200, length-len(dir))))
		}
		path := filepath.Join(dir, "ledger.db")
		db, err := sqlite.Open(t.Context(), path, clock.System{})
		switch {
		case length < 500 && err != nil:
			t.Errorf("%d bytes: %v", len(path), err)
		case length > 500 && (err == nil || !strings.Contains(err.Error(), "bytes, and SQLite opens 504 at most")):
			t.Errorf("%d bytes: %v", len(path), err)
		case err == nil:
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
