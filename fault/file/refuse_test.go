package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/file"
)

// TestRefusals has one line for each thing that no fault may touch.
func TestRefusals(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("file"), "0123456789")
	write(t, in("twin"), "0123456789")
	for _, err := range []error{
		os.Symlink(in("file"), in("link")), os.Link(in("twin"), in("twin2")), os.Mkdir(in("closed"), 0o500),
		os.Mkdir(in("home"), 0o700), os.Mkdir(in("same"), 0o700), os.Mkdir(in("tree"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, in("same/a"), "1")
	t.Setenv("HOME", in("home"))
	one := func(kind string, v any) object { return object{"file": object{kind: v}} }
	since := func(path, snapshot string) object { return one("lost", object{"path": path, "snapshot": snapshot}) }
	slow := func(path, delay string, ops ...string) object {
		return one("slow", object{"path": path, "delay": delay, "operations": ops})
	}
	const oneKind = "give exactly one of unavailable, lost, corrupt, read_only, slow and errors"
	rows := []struct {
		spec object
		want string
	}{
		{one("lost", "/"), "too near the root"},
		{one("lost", "/etc"), "too near the root"},
		{one("lost", "relative"), "fault file: lost.paths[0]: relative: the path must be absolute"},
		{one("lost", in("x")+"/../file"), "the path must not contain .."},
		{one("lost", in("nothing")), "no such file or directory"},
		{one("lost", in("link")), "is a symbolic link to " + in("file") + ": name the file itself"},
		{one("lost", []string{}), "fault file: lost: give one to 64 paths"},
		{one("lost", []string{dir, in("file")}), "are one inside the other"},
		{one("lost", []string{in("file"), dir + "/./file"}), "fault file: lost.paths[1]: " + dir + "/./file is in the list already"},
		{one("lost", in("home")), "is or holds the home directory"},
		{one("lost", dir), "is or holds the home directory"},
		{one("lost", "/dev/null"), "is neither a file nor a directory nor a socket"},
		{one("corrupt", in("closed")), "is not a regular file"},
		{one("corrupt", in("link")), "is a symbolic link"},
		{one("corrupt", in("twin")), "has 2 names (hard links): the others would be corrupted too"},
		{one("corrupt", in("file")), "has only 10 bytes"},
		{one("corrupt", object{"path": in("file"), "bytes": 4, "at": 8}), "has only 10 bytes"},
		{one("corrupt", object{"path": in("file"), "bytes": -1}), "fault file: corrupt.bytes: must be 1 to 65536"},
		{one("corrupt", object{"path": in("file"), "byte": 1}), `unknown field "byte"`},
		{object{"file": object{}}, "fault file: " + oneKind},
		{object{"file": object{"lost": in("file"), "read_only": in("file")}}, "fault file: " + oneKind},
		{one("read_only", in("nothing")), "no such file or directory"},
		{one("read_only", "/etc"), "too near the root"},
		{one("read_only", in("link")), "is a symbolic link to " + in("file") + ": name the file itself"},
		{since(in("file"), ""), "fault file: lost.snapshot: say where the snapshot is"},
		{since("", in("file")), "fault file: lost.path: say what is replaced by the snapshot"},
		{since(in("file"), in("nothing")), "find snapshot: lstat " + in("nothing") + ": no such file or directory"},
		{since(in("file"), in("tree")), "must both be files, or both directories"},
		{since(in("tree"), in("tree/a")), "fault file: lost: path and snapshot are one inside the other"},
		{since(in("file"), in("file")), "path and snapshot are one inside the other"},
		{object{"file": object{"lost": object{"path": in("file"), "snapshot": in("twin"), "paths": []string{in("twin")}}}}, "lost: give paths, or path and snapshot"},
		{slow("tree", "1s"), "fault file: slow.path: tree: the path must be absolute"},
		{slow(in("tree"), ""), `fault file: slow.delay: "": give a time from 1ms to 8s, such as 100ms`},
		{slow(in("tree"), "1h"), `fault file: slow.delay: "1h": give a time from 1ms to 8s, such as 100ms`},
		{slow(in("tree"), "1s", "write", "wirte"), `fault file: slow.operations[1]: "wirte": give some of change, create, list, look, open, read, remove, rename, sync, write`},
		{one("errors", object{"path": in("tree"), "error": "EPERM"}), `fault file: errors.error: "EPERM": give EIO, ENOSPC or EROFS`},
	}
	for _, c := range rows {
		if err := plan(t, c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.spec, err, c.want)
		}
	}
}

// plan is what a plan for this spec says.
func plan(t testing.TB, spec object) error {
	t.Helper()
	target, err := file.Kinds().Decode(faulttest.Spec(t, spec))
	if err == nil {
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	}
	return err
}
