package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadOnlyHoldsForOpenFiles is what the flag is better for than mode bits.
func TestReadOnlyHoldsForOpenFiles(t *testing.T) {
	if !root(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "original")
	t.Cleanup(func() { _, _ = run("chattr", "-i", path) })
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	target, undo := inject(t, object{"file": object{"read_only": path}})
	if err := os.Remove(path); !errors.Is(err, unix.EPERM) {
		t.Errorf("remove: %v, want EPERM", err)
	}
	if err := f.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncate an open file: %v, want EPERM", err)
	}
	if err := plan(t, object{"file": object{"read_only": path}}); err == nil || !strings.Contains(err.Error(), "is immutable already") {
		t.Errorf("plan a second one: %v", err)
	}
	if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if out, err := run("lsattr", path); err != nil || strings.Contains(strings.Fields(out)[0], "i") {
		t.Errorf("flags: %s, %v", out, err)
	}
}

// TestReadOnlyKeepsOtherFlags leaves flags alone that were there before.
func TestReadOnlyKeepsOtherFlags(t *testing.T) {
	if !root(t) {
		return
	}
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "original")
	t.Cleanup(func() { _, _ = run("chattr", "-i", path) })
	chattr(t, "+d", path)
	target, undo := inject(t, object{"file": object{"read_only": path}})
	if _, err := target.Revert(t.Context(), undo, discard); err != nil {
		t.Error(err)
	}
	out, err := run("lsattr", path)
	if flags := strings.Fields(out)[0]; err != nil || !strings.Contains(flags, "d") || strings.Contains(flags, "i") {
		t.Errorf("flags: %s, %v", out, err)
	}
}

// TestReadOnlyBelowARename finds files whose directory has another name now.
func TestReadOnlyBelowARename(t *testing.T) {
	if !root(t) {
		return
	}
	top := t.TempDir()
	here, there := filepath.Join(top, "here"), filepath.Join(top, "there")
	if err := os.Mkdir(here, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(here, "file"), "original")
	t.Cleanup(func() { _, _ = run("chattr", "-R", "-i", top) })
	target, undo := inject(t, object{"file": object{"read_only": filepath.Join(here, "file")}})
	if err := os.Rename(here, there); err != nil {
		t.Fatal(err)
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) != 1 {
		t.Errorf("residue while it is held: %v, %v", left, err)
	}
	if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if err := os.WriteFile(filepath.Join(there, "file"), []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
}

// TestReadOnlyPartly takes one file that was made writable by somebody else for superseded, and the other back.
func TestReadOnlyPartly(t *testing.T) {
	if !root(t) {
		return
	}
	top := t.TempDir()
	a, b := filepath.Join(top, "a"), filepath.Join(top, "b")
	write(t, a, "a")
	write(t, b, "b")
	t.Cleanup(func() { _, _ = run("chattr", "-R", "-i", top) })
	target, undo := inject(t, object{"file": object{"read_only": []string{a, b}}})
	chattr(t, "-i", a)
	write(t, a, "repaired")
	out, err := target.Revert(t.Context(), undo, discard)
	if err != nil || len(out.Superseded) != 1 || out.Superseded[0] != a+" was made writable by somebody else since" {
		t.Errorf("revert: %+v, %v", out, err)
	}
	write(t, b, "writable")
}

// TestReadOnlyByMode is on a file system without inode flags, where only mode bits are left.
func TestReadOnlyByMode(t *testing.T) {
	if os.Geteuid() != 0 {
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "original")
		byMode(t, path)
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("belay-test", dir, "ramfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(dir) })
	inner := filepath.Join(dir, "data")
	if err := os.Mkdir(inner, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(inner, "file")
	write(t, path, "original")
	err := plan(t, object{"file": object{"read_only": path}})
	if err == nil || !strings.Contains(err.Error(), "belongs to root, whom mode bits do not stop, and the immutable flag cannot be used: this file system knows no inode flags") {
		t.Errorf("a file of root: %v", err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	byMode(t, path)
}

func byMode(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o664); err != nil {
		t.Fatal(err)
	}
	target, undo := inject(t, object{"file": object{"read_only": path}})
	seen, err := target.Confirm(t.Context(), undo)
	if err != nil || !strings.Contains(seen, "permission denied") {
		t.Errorf("confirm: %s, %v", seen, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o444 {
		t.Errorf("mode is %v, %v", st.Mode(), err)
	}
	if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o664 {
		t.Errorf("mode is %v, %v", st.Mode(), err)
	}
}
