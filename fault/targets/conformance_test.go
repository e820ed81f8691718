package targets_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/fault/targets"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proc"
)

func TestMain(m *testing.M) { faulttest.Main(m, targets.Host(), targets.Workers()) }

func TestConformance(t *testing.T) {
	rigs := map[string]func(testing.TB) faulttest.Rig{
		"process.kill": killRig,
		"process.stop": stopRig,
		"command":      commandRig,
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
