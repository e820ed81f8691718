package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/file"
)

func TestMain(m *testing.M) { faulttest.Main(m, file.Kinds(), file.Workers()) }

func TestConformance(t *testing.T) {
	rigs := map[string]func(testing.TB) faulttest.Rig{
		"unavailable":    func(t testing.TB) faulttest.Rig { return fileRig(t, "unavailable", false) },
		"lost/database":  databaseRig,
		"lost/directory": func(t testing.TB) faulttest.Rig { return fileRig(t, "lost", true) },
		"lost/since":     sinceRig,
		"corrupt":        corruptRig,
	}
	for name, rig := range systemRigs() {
		rigs[name] = rig
	}
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

// sinceRig loses what was done in a directory since a snapshot of it.
func sinceRig(t testing.TB) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	data, snapshot := filepath.Join(top, "data"), filepath.Join(top, "snapshot")
	for _, dir := range []string{data, snapshot} {
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "sub", "old"), "old")
	}
	write(t, filepath.Join(data, "new"), "new")
	before := snapshotOf(t, top)
	return faulttest.Rig{
		Kinds:  file.Kinds(),
		Spec:   faulttest.Spec(t, object{"file": object{"lost": object{"path": data, "snapshot": snapshot}}}),
		Broken: func() bool { return snapshotOf(t, top) != before },
		Remove: func() { os.RemoveAll(top) },
		Change: func() { write(t, filepath.Join(data, "new"), "restored") },
		Intact: func() bool { b, _ := os.ReadFile(filepath.Join(data, "new")); return string(b) == "restored" },
	}
}

type object = map[string]any

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// snapshotOf is a file or tree as text: names, modes, times and contents.
func snapshotOf(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s", p, st.Mode())
		if !e.IsDir() {
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %s %x", st.ModTime(), data)
		}
		b.WriteByte('\n')
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		return "it changes while we look" // a revert is at work, which is no longer as it was before, and not yet again
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func fileRig(t testing.TB, kind string, tree bool) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	place := filepath.Join(top, "place")
	inside := place
	if tree {
		inside = filepath.Join(place, "a", "b")
		if err := os.MkdirAll(filepath.Dir(inside), 0o750); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Mkdir(top, 0o750); err != nil {
		t.Fatal(err)
	}
	write(t, inside, "original")
	before := snapshotOf(t, top)
	return faulttest.Rig{
		Kinds: file.Kinds(),
		Spec:  faulttest.Spec(t, object{"file": object{kind: place}}),
		// Anything that differs from before is the effect, so a revert that forgets a mode or a stash is seen.
		Broken: func() bool { return snapshotOf(t, top) != before },
		Remove: func() { os.RemoveAll(top) },
		Change: func() { _ = os.MkdirAll(filepath.Dir(inside), 0o750); write(t, inside, "recovered") },
		Intact: func() bool { b, _ := os.ReadFile(inside); return string(b) == "recovered" },
	}
}

// databaseRig loses a database with its side files, of which one does not exist.
func databaseRig(t testing.TB) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	if err := os.Mkdir(top, 0o750); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(top, "app.db")
	write(t, db, "pages")
	write(t, db+"-wal", "log")
	before := snapshotOf(t, top)
	return faulttest.Rig{
		Kinds:  file.Kinds(),
		Spec:   faulttest.Spec(t, object{"file": object{"lost": []string{db, db + "-wal", db + "-shm"}}}),
		Broken: func() bool { return snapshotOf(t, top) != before },
		Remove: func() { os.RemoveAll(top) },
		// The restored database has no log. The old log beside it would ruin it.
		Change: func() { write(t, db, "restored") },
		Intact: func() bool {
			b, _ := os.ReadFile(db)
			_, err := os.Stat(db + "-wal")
			return string(b) == "restored" && os.IsNotExist(err)
		},
	}
}

func corruptRig(t testing.TB) faulttest.Rig {
	top := filepath.Join(t.TempDir(), "top")
	if err := os.Mkdir(top, 0o750); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(top, "app.db")
	write(t, db, strings.Repeat("0123456789abcdef", 40<<10))
	before := snapshotOf(t, top)
	content := bytes.Repeat([]byte("recovered"), 100)
	return faulttest.Rig{
		Kinds:  file.Kinds(),
		Spec:   faulttest.Spec(t, object{"file": object{"corrupt": object{"path": db, "bytes": 100, "seed": 7}}}),
		Broken: func() bool { return snapshotOf(t, top) != before },
		Remove: func() { os.RemoveAll(top) },
		Change: func() { write(t, db, string(content)) }, // in place: the same inode
		Intact: func() bool { b, _ := os.ReadFile(db); return bytes.Equal(b, content) },
	}
}
