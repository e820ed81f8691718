package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shop makes data and an older snapshot of it with everything that a tree can have.
func shop(t *testing.T) (data, snapshot string) {
	t.Helper()
	top := t.TempDir()
	data, snapshot = filepath.Join(top, "data"), filepath.Join(top, "snapshot")
	for _, dir := range []string{data, snapshot} {
		old := time.Date(2020, 1, 2, 3, 4, 5, 678, time.UTC)
		in := func(name string) string { return filepath.Join(dir, name) }
		if err := os.MkdirAll(in("sub/empty"), 0o751); err != nil {
			t.Fatal(err)
		}
		write(t, in("file"), strings.Repeat("old", 100_000))
		write(t, in("nothing"), "")
		for _, err := range []error{
			os.Link(in("file"), in("sub/twin")), os.Symlink("../file", in("sub/link")), os.Symlink("/no/where", in("dangling")),
			os.Chmod(in("file"), 0o604), unix.Chmod(in("sub"), 0o1751), unix.Setxattr(in("file"), "user.kind", []byte("shop"), 0),
			unix.Setxattr(in("sub"), "user.kind", []byte("dir"), 0), os.Chtimes(in("file"), old, old), os.Chtimes(in("sub"), old, old),
		} {
			if err != nil && !errors.Is(err, unix.ENOTSUP) {
				t.Fatal(err)
			}
		}
		if os.Geteuid() == 0 {
			if err := errors.Join(os.Lchown(in("sub/link"), 12, 34), os.Chown(in("nothing"), 56, 78)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(data, "order"), "since")
	return data, snapshot
}

// listing is a tree as `find` and `stat` see it, with inode numbers.
func listing(t *testing.T, top string, inodes bool) string {
	t.Helper()
	format := "%P %M %U:%G %s %n %T@ %l"
	if inodes {
		format += " %i"
	}
	out, err := run("find", top, "-mindepth", "1", "!", "-path", top, "-printf", format+"\n")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := run("sh", "-c", `cd "$1" && find . -type f | sort | xargs sha256sum`, "sh", top)
	if err != nil {
		t.Fatal(err)
	}
	kinds := ""
	for _, name := range []string{"file", "sub", "sub/twin", "nothing"} {
		b := make([]byte, 100)
		n, _ := unix.Lgetxattr(filepath.Join(top, name), "user.kind", b)
		kinds += name + " is " + string(b[:max(n, 0)]) + "\n"
	}
	return sorted(out) + sums + kinds
}

// TestSince has the snapshot in the place of the data, with everything, and the very same files again afterwards.
func TestSince(t *testing.T) {
	data, snapshot := shop(t)
	before, then := listing(t, data, true), listing(t, snapshot, false)
	snapshotBefore := listing(t, snapshot, true)
	target, undo := inject(t, object{"file": object{"lost": object{"path": data, "snapshot": snapshot}}})
	// Directory sizes and link counts are the file system's; everything else must be the same.
	if now := listing(t, data, false); now != then {
		t.Errorf("in place of the data:\n%s\nwant\n%s", now, then)
	}
	seen, err := target.Confirm(t.Context(), undo)
	if err != nil || !strings.Contains(seen, "is a copy of the snapshot: 8 files and directories, 600000 bytes") {
		t.Errorf("confirm: %q, %v", seen, err)
	}
	if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if now := listing(t, data, true); now != before {
		t.Errorf("afterwards:\n%s\nwant\n%s", now, before)
	}
	if now := listing(t, snapshot, true); now != snapshotBefore {
		t.Error("the snapshot was touched")
	}
	if left, err := os.ReadDir(filepath.Dir(data)); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSinceWorkedOn leaves the slightest change alone, and keeps the data.
func TestSinceWorkedOn(t *testing.T) {
	for name, change := range map[string]func(data string) error{
		"a byte":    func(d string) error { return os.WriteFile(filepath.Join(d, "nothing"), []byte("x"), 0o600) },
		"a mode":    func(d string) error { return os.Chmod(filepath.Join(d, "nothing"), 0o777) },
		"a time":    func(d string) error { return os.Chtimes(filepath.Join(d, "file"), time.Now(), time.Now()) },
		"a name":    func(d string) error { return os.Rename(filepath.Join(d, "nothing"), filepath.Join(d, "something")) },
		"a removal": func(d string) error { return os.RemoveAll(d) },
	} {
		data, snapshot := shop(t)
		target, undo := inject(t, object{"file": object{"lost": object{"path": data, "snapshot": snapshot}}})
		if err := change(data); err != nil {
			t.Fatal(err)
		}
		out, err := target.Revert(t.Context(), undo, discard)
		if err != nil || len(out.Superseded) != 1 || len(out.Kept) != 1 {
			t.Errorf("%s: %+v, %v", name, out, err)
			continue
		}
		if b, err := os.ReadFile(filepath.Join(out.Kept[0], "order")); string(b) != "since" {
			t.Errorf("%s: what is kept is not the data: %q, %v", name, b, err)
		}
	}
}

// TestSinceNothing refuses a snapshot in which nothing is missing.
func TestSinceNothing(t *testing.T) {
	data, snapshot := shop(t)
	if err := errors.Join(os.RemoveAll(data)); err != nil {
		t.Fatal(err)
	}
	if _, err := run("cp", "-a", snapshot, data); err != nil {
		t.Fatal(err)
	}
	err := plan(t, object{"file": object{"lost": object{"path": data, "snapshot": snapshot}}})
	if err == nil || !strings.Contains(err.Error(), "nothing would be lost") {
		t.Errorf("plan: %v", err)
	}
}

// TestSinceCutShort deletes half a copy.
func TestSinceCutShort(t *testing.T) {
	data, snapshot := shop(t)
	before := listing(t, data, true)
	target, undo := planned(t, object{"file": object{"lost": object{"path": data, "snapshot": snapshot}}})
	half := filepath.Join(filepath.Dir(data), ".data.belay-f1")
	if err := os.MkdirAll(filepath.Join(half, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(half, "sub", "twin"), "hal")
	if out, err := target.Revert(t.Context(), undo, discard); err != nil || len(out.Superseded) > 0 {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if _, err := os.Lstat(half); !os.IsNotExist(err) {
		t.Errorf("half a copy is left: %v", err)
	}
	if now := listing(t, data, true); now != before {
		t.Error("the data was touched")
	}
}
