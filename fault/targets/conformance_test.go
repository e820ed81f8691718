package targets_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/fault/targets"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

func TestMain(m *testing.M) { faulttest.Main(m, targets.Host(), targets.Workers()) }

func TestConformance(t *testing.T) {
	rigs := map[string]func(testing.TB) faulttest.Rig{
		"process.kill":        killRig,
		"process.stop":        stopRig,
		"file.unavailable":    func(t testing.TB) faulttest.Rig { return fileRig(t, "unavailable", false) },
		"file.lost/database":  databaseRig,
		"file.lost/directory": func(t testing.TB) faulttest.Rig { return fileRig(t, "lost", true) },
		"file.corrupt":        corruptRig,
		"command":             commandRig,
	}
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

type object = map[string]any

// victim starts a process and writes its pid file.
func victim(t testing.TB, pidFile string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done })
	write(t, pidFile, fmt.Sprintln(cmd.Process.Pid))
	return cmd
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func state(pid int) byte {
	i, err := proc.Look(pid)
	if err != nil || i.Over() {
		return 0
	}
	return i.State
}

func killRig(t testing.TB) faulttest.Rig {
	file := filepath.Join(t.TempDir(), "app.pid")
	cmd := victim(t, file)
	return faulttest.Rig{
		Kinds:   targets.Host(),
		Spec:    faulttest.Spec(t, object{"process": object{"kill": object{"pid_file": file}}}),
		Broken:  func() bool { return state(cmd.Process.Pid) == 0 },
		Remove:  func() { os.Remove(file) },
		OneShot: true,
	}
}

func stopRig(t testing.TB) faulttest.Rig {
	file := filepath.Join(t.TempDir(), "app.pid")
	cmd := victim(t, file)
	end := func() {
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		for state(cmd.Process.Pid) != 0 {
		}
	}
	var next *exec.Cmd
	return faulttest.Rig{
		Kinds:  targets.Host(),
		Spec:   faulttest.Spec(t, object{"process": object{"stop": object{"pid_file": file}}}),
		Broken: func() bool { return state(cmd.Process.Pid) == proc.Stopped },
		Remove: end,
		Change: func() { end(); next = victim(t, file) },
		Intact: func() bool { return state(next.Process.Pid) == 'S' || state(next.Process.Pid) == 'R' },
	}
}

// snapshot is a file or tree as text: names, modes, times and contents.
func snapshot(t testing.TB, dir string) string {
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
	before := snapshot(t, top)
	return faulttest.Rig{
		Kinds: targets.Host(),
		Spec:  faulttest.Spec(t, object{"file": object{kind: place}}),
		// Anything that differs from before is the effect, so a revert that forgets a mode or a stash is seen.
		Broken: func() bool { return snapshot(t, top) != before },
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
	before := snapshot(t, top)
	return faulttest.Rig{
		Kinds:  targets.Host(),
		Spec:   faulttest.Spec(t, object{"file": object{"lost": []string{db, db + "-wal", db + "-shm"}}}),
		Broken: func() bool { return snapshot(t, top) != before },
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
	before := snapshot(t, top)
	content := bytes.Repeat([]byte("recovered"), 100)
	return faulttest.Rig{
		Kinds:  targets.Host(),
		Spec:   faulttest.Spec(t, object{"file": object{"corrupt": object{"path": db, "bytes": 100, "seed": 7}}}),
		Broken: func() bool { return snapshot(t, top) != before },
		Remove: func() { os.RemoveAll(top) },
		Change: func() { write(t, db, string(content)) }, // in place: the same inode
		Intact: func() bool { b, _ := os.ReadFile(db); return bytes.Equal(b, content) },
	}
}

func commandRig(t testing.TB) faulttest.Rig {
	dir := t.TempDir()
	mark := filepath.Join(dir, "mark")
	there := func() bool { _, err := os.Stat(mark); return err == nil }
	return faulttest.Rig{
		Kinds: targets.Host(),
		Spec: faulttest.Spec(t, object{"command": object{
			"inject": []string{"touch", mark}, "confirm": []string{"test", "-e", mark}, "revert": []string{"rm", "-f", mark}, "dir": "/",
		}}),
		Broken: there,
		Remove: func() { os.Remove(mark) },
		Change: func() { os.Remove(mark) },
		Intact: func() bool { return !there() },
	}
}
