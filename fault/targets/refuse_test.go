package targets_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/targets"
)

// TestRefusals has one line for each thing that no fault may touch.
func TestRefusals(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("words"), "not a number")
	write(t, in("empty"), "")
	write(t, in("two.pid"), "101\n102\n")
	write(t, in("self.pid"), fmt.Sprint(os.Getpid()))
	write(t, in("parent.pid"), fmt.Sprint(os.Getppid()))
	write(t, in("init.pid"), "1")
	dead := exec.Command("true")
	_ = dead.Run()

	stop := func(v any) object { return object{"process": object{"stop": v}} }
	command := func(inject, revert, confirm string) object {
		return object{"command": object{"inject": []string{inject}, "revert": []string{revert}, "confirm": []string{confirm}}}
	}
	for _, c := range []struct {
		spec object
		want string
	}{
		{object{"process": object{"kill": object{"pid": 5}, "stop": object{"pid": 5}}}, "fault process: give exactly one of kill, stop, pause and freeze"},
		{stop(object{}), "fault process: stop: give exactly one of pid_file, pid, unit, name and cgroup"},
		{stop(object{"pid": 1}), "fault process: stop.pid: must be above 1"},
		{stop(in("init.pid")), "process 1 is never hit"},
		{stop(in("self.pid")), "is this fault's own holder or one of those that started it"},
		{stop(in("parent.pid")), "is this fault's own holder or one of those that started it"},
		{stop(object{"pid": dead.Process.Pid}), "does not run"},
		{stop(in("two.pid")), "names 2 processes and max is 1"},
		{stop(in("words")), `"not" is not a process ID`},
		{stop(in("empty")), "is empty"},
		{stop(in("nothing")), "read pid file: there is no "},
		{stop(dir), "is not a small file"},
		{object{"command": object{}}, "fault command: confirm: give a command as a list of arguments"},
		{command("true", "true", "true"), `"true" sees the fault already`},
		{command("true", "/no/such/revert", "false"), "find command:"},
	} {
		target, err := targets.Host().Decode(faulttest.Spec(t, c.spec))
		if err == nil {
			_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.spec, err, c.want)
		}
	}
}

// TestOthersProcesses holds as root and as anybody else.
func TestOthersProcesses(t *testing.T) {
	plan := func(v object) error {
		target, err := targets.Host().Decode(faulttest.Spec(t, object{"process": object{"kill": v}}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
		return err
	}
	if os.Geteuid() != 0 {
		pid := othersProcess(t)
		if err := plan(object{"pid": pid, "any_user": true}); err == nil || !strings.Contains(err.Error(), "belongs to user 0, not to us") {
			t.Errorf("a process of root: %v, want a refusal", err)
		}
		return
	}
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if err := plan(object{"pid": cmd.Process.Pid}); err == nil || !strings.Contains(err.Error(), "say any_user: true") {
		t.Errorf("root, a process of nobody: %v, want a refusal", err)
	}
	if err := plan(object{"pid": cmd.Process.Pid, "any_user": true}); err != nil {
		t.Errorf("root, a process of nobody, asked for: %v", err)
	}
}

// othersProcess is a process of root that is neither the first one nor one of our ancestors.
func othersProcess(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,uid=,ppid=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var pid, uid, parent int
		if n, _ := fmt.Sscan(line, &pid, &uid, &parent); n == 3 && uid == 0 && pid > 1 && pid != os.Getppid() {
			target, _ := targets.Host().Decode(faulttest.Spec(t, object{"process": object{"kill": object{"pid": pid}}}))
			if _, err := target.Plan(t.Context(), fault.Ask{ID: "f1"}); err != nil && strings.Contains(err.Error(), "own holder") {
				continue
			}
			return pid
		}
	}
	t.Fatal("no process of root to be refused")
	return 0
}

// TestUnwritableDirectory is refused before anything is tried. Root may write everywhere.
func TestUnwritableDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	target, err := targets.Host().Decode(faulttest.Spec(t, object{"file": object{"lost": filepath.Join(dir, "file")}}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if root := os.Geteuid() == 0; root != (err == nil) {
		t.Errorf("as root %v: %v", root, err)
	}
}
