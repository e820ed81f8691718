package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that is being started shares the open lock file for a moment. The lock is given back all the same.
func TestReleaseWithASharedFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".belay"), 0o755); err != nil {
		t.Fatal(err)
	}
	first, err := takeLock(dir, "test", "E1")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := unix.Dup(int(first.f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(shared)
	var busy *Busy
	if _, err := takeLock(dir, "test", "E2"); !errors.As(err, &busy) || busy.Exercise != "E1" {
		t.Errorf("two exercises at once: %v", err)
	}
	if id, err := Running(dir, "test"); err != nil || id != "E1" {
		t.Errorf("running %q, %v", id, err)
	}
	first.release()
	if id, err := Running(dir, "test"); err != nil || id != "" {
		t.Errorf("running after the release: %q, %v", id, err)
	}
	second, err := takeLock(dir, "test", "E2")
	if err != nil {
		t.Fatal(err)
	}
	second.release()
}
