package targets_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/belay-dr/belay/fault"

	"github.com/belay-dr/belay/fault/targets"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

func TestMain(m *testing.M) { faulttest.Main(m, targets.Host(), targets.Workers()) }

func TestConformance(t *testing.T) {
	rigs := map[string]func(testing.TB) faulttest.Rig{
		"a group": groupRig,
		"command": commandRig,
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

// groupRig is one holder's two faults: a process that stands still and a file that is gone.
func groupRig(t testing.TB) faulttest.Rig {
	dir := t.TempDir()
	pidFile, data := filepath.Join(dir, "pid"), filepath.Join(dir, "sub", "data")
	if err := os.Mkdir(filepath.Dir(data), 0o700); err != nil {
		t.Fatal(err)
	}
	v := victim(t, pidFile)
	write(t, data, "original")
	spec, err := fault.Group([]fault.Spec{
		faulttest.Spec(t, object{"process": object{"stop": object{"pid_file": pidFile}}}),
		faulttest.Spec(t, object{"file": object{"lost": data}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := v.Process.Pid
	holds := func(text string) bool { b, _ := os.ReadFile(data); return string(b) == text }
	return faulttest.Rig{
		Kinds:  targets.Host(),
		Spec:   spec,
		Broken: func() bool { return state(pid) == proc.Stopped || !holds("original") && !holds("recovered") },
		Change: func() { write(t, data, "recovered") },
		Intact: func() bool { return holds("recovered") && state(pid) != proc.Stopped },
		Remove: func() { _ = v.Process.Kill(); _ = os.RemoveAll(filepath.Dir(data)) },
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
