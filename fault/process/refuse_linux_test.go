package process

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/fault/proc"
)

// TestConfigs has one line for each mistake in a config.
func TestConfigs(t *testing.T) {
	for _, c := range []struct {
		spec object
		want string
	}{
		{object{}, "fault process: give exactly one of kill, stop, pause and freeze"},
		{object{"kill": object{"pid": 5}, "freeze": object{"pid": 5}}, "fault process: give exactly one of kill, stop, pause and freeze"},
		{object{"kill": object{}}, "fault process: kill: give exactly one of pid_file, pid, unit, name and cgroup"},
		{object{"stop": object{"pid": 5, "unit": "a.service"}}, "fault process: stop: give exactly one of pid_file, pid, unit, name and cgroup"},
		{object{"stop": object{"pid": 1}}, "fault process: stop.pid: must be above 1"},
		{object{"stop": object{"unit": "--version"}}, `fault process: stop.unit: "--version" is no name of a systemd unit: for example nginx.service`},
		{object{"stop": object{"unit": "a b"}}, `fault process: stop.unit: "a b" is no name of a systemd unit: for example nginx.service`},
		{object{"stop": object{"name": "nginx"}}, "fault process: stop.owner: goes with name: the user whose processes of this name are meant"},
		{object{"stop": object{"pid": 5, "owner": "root"}}, "fault process: stop.owner: goes with name: the user whose processes of this name are meant"},
		{object{"stop": object{"name": "ngin*", "owner": "root"}}, "fault process: stop.name: must be a name without directories, not a pattern"},
		{object{"stop": object{"cgroup": "a/b"}}, "fault process: stop.cgroup: must be an absolute path without .."},
		{object{"stop": object{"cgroup": "/a/../.."}}, "fault process: stop.cgroup: must be an absolute path without .."},
		{object{"stop": object{"pid": 5, "max": -1}}, "fault process: stop.max: must not be negative"},
		{object{"stop": object{"pid": 5, "whole": true}}, "fault process: stop.whole: is for unit only"},
		{object{"stop": object{"pid": 5}, "or_stop": true}, "fault process: or_stop: is for pause only"},
		{object{"freeze": object{"pid": 5}}, "fault process: freeze: give cgroup, or unit with whole: true: only a whole control group can be frozen"},
	} {
		if _, _, err := plan(t, c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %q", c.spec, err, c.want)
		}
	}
}

// TestNeverHit refuses ourselves, those that started us, the first process, and threads of the kernel.
func TestNeverHit(t *testing.T) {
	me, err := proc.Look(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		victim object
		want   string
	}{
		{object{"pid": os.Getpid()}, me.String() + " is this fault's own holder or one of those that started it"},
		{object{"name": me.Name, "owner": fmt.Sprint(me.UID)}, me.String() + " is this fault's own holder or one of those that started it"},
		{object{"cgroup": "/sys/fs/cgroup"}, ""},
		{object{"cgroup": "/"}, "cgroup / holds the whole system: name one below it"},
		{object{"cgroup": "/no/such/group"}, "there is no cgroup /no/such/group: /proc/PID/cgroup says in which one a process is"},
		{object{"name": "kthreadd", "owner": "root"}, "process 2 (kthreadd) is a thread of the kernel: it is never hit"},
		{object{"pid": 2}, "process 2 (kthreadd) is a thread of the kernel: it is never hit"},
	} {
		_, _, err := plan(t, object{"stop": c.victim})
		if err == nil || c.want != "" && err.Error() != c.want {
			t.Errorf("%v: %v, want %q", c.victim, err, c.want)
		}
	}
}

// TestHolderInGroup refuses a control group in which the holder itself is.
func TestHolderInGroup(t *testing.T) {
	for version, mount := range groupMounts(t) {
		dir := filepath.Join(mount, fmt.Sprintf("belay-process-holder-%s-%d", version, os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		var all []*exec.Cmd
		for range 3 {
			all = append(all, run(t, "sleep", "600"))
		}
		t.Cleanup(func() {
			write(t, filepath.Join(mount, "cgroup.procs"), fmt.Sprint(os.Getpid()))
			for _, c := range all {
				_ = c.Process.Kill()
			}
			until(t, "the group is gone", func() bool { return os.Remove(dir) == nil })
		})
		name := "/" + filepath.Base(dir)
		want := func(text string) {
			t.Helper()
			for _, action := range []string{"kill", "freeze", "stop"} {
				if _, _, err := plan(t, object{action: object{"cgroup": name, "max": 2}}); err == nil || err.Error() != text {
					t.Errorf("%s: %s: %v, want %s", version, action, err, text)
				}
			}
		}
		want("cgroup " + name + " holds no process")
		in := func(pid int) { write(t, filepath.Join(dir, "cgroup.procs"), fmt.Sprint(pid)) }
		in(os.Getpid())
		me, _ := proc.Look(os.Getpid())
		text := fmt.Sprintf("cgroup %s: %s is this fault's own holder or one of those that started it", name, me)
		want(text)
		write(t, filepath.Join(mount, "cgroup.procs"), fmt.Sprint(os.Getpid()))
		three := []int{all[0].Process.Pid, all[1].Process.Pid, all[2].Process.Pid}
		slices.Sort(three)
		for _, pid := range three {
			in(pid)
		}
		want(fmt.Sprintf("cgroup %s names 3 processes and max is 2: choose fewer, or raise max: %d (sleep), %d (sleep), %d (sleep)", name, three[0], three[1], three[2]))
	}
}

// fakeSystemd puts a systemctl first in PATH that knows one unit, and says what the real one says of all others.
func fakeSystemd(t *testing.T, pid int, group string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
[ "$*" = "show -p MainPID,ControlGroup,ActiveState -- $5" ] || { echo "unknown arguments: $*" >&2; exit 1; }
case "$5" in
app.service) printf 'MainPID=%d\nControlGroup=%s\nActiveState=active\n' ;;
app.slice) printf 'ControlGroup=%s\nActiveState=active\n' ;;
failed.service) printf 'MainPID=0\nControlGroup=\nActiveState=failed\n' ;;
down.service) echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
	echo "Failed to connect to bus: Host is down" >&2; exit 1 ;;
odd.service) echo "MainPID=many" ;;
*) printf 'MainPID=0\nControlGroup=\nActiveState=inactive\n' ;;
esac
`, pid, group, group)
	path := filepath.Join(dir, "systemctl")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestUnits(t *testing.T) {
	cmd := run(t, "sleep", "600")
	fakeSystemd(t, cmd.Process.Pid, "/belay-process-no-such-group")
	_, p, err := plan(t, object{"stop": object{"unit": "app.service"}})
	if want := fmt.Sprintf("process %d (sleep) of app.service", cmd.Process.Pid); err != nil || p.Target != want {
		t.Errorf("%q, %v, want %q", p.Target, err, want)
	}
	for _, c := range []struct {
		victim object
		want   string
	}{
		{object{"unit": "other.service"}, "unit other.service is inactive: it has no process: `systemctl status other.service` says why"},
		{object{"unit": "failed.service"}, "unit failed.service is failed: it has no process: `systemctl status failed.service` says why"},
		{object{"unit": "app.slice"}, "unit app.slice is active and has no main process: whole: true takes all of its control group"},
		{object{"unit": "app.service", "whole": true}, "there is no cgroup /belay-process-no-such-group: /proc/PID/cgroup says in which one a process is"},
		{object{"unit": "down.service"}, "unit down.service: systemctl: System has not been booted with systemd as init system (PID 1). Can't operate: take pid_file, or name with owner"},
		{object{"unit": "odd.service"}, "unit odd.service: systemctl says MainPID=many: that is no process ID"},
	} {
		if _, _, err := plan(t, object{"stop": c.victim}); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %q", c.victim, err, c.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	_, _, err = plan(t, object{"stop": object{"unit": "app.service"}})
	if want := "unit app.service: there is no systemctl here: take pid_file, or name with owner"; err == nil || err.Error() != want {
		t.Errorf("no systemctl: %v, want %q", err, want)
	}
}

// TestWholeUnit freezes the control group that systemd names.
func TestWholeUnit(t *testing.T) {
	for _, mount := range groupMounts(t) {
		r := groupRig(t, mount, "freeze")
		dir := "/" + string(r.Spec.Config[strings.Index(string(r.Spec.Config), "belay-process"):])
		dir = dir[:strings.IndexByte(dir, '"')]
		fakeSystemd(t, 0, dir)
		target, p, err := plan(t, object{"freeze": object{"unit": "app.service", "whole": true, "max": 2}})
		if err != nil {
			t.Fatal(err)
		}
		undo := p.Undo
		save := func(u json.RawMessage) error { undo = u; return nil }
		if err := target.Inject(t.Context(), undo, save); err != nil {
			t.Fatal(err)
		}
		until(t, "confirmed", func() bool { _, err := target.Confirm(t.Context(), undo); return err == nil })
		if !r.Broken() {
			t.Error("it is confirmed, and not frozen")
		}
		if out, err := target.Revert(t.Context(), undo, save); err != nil || len(out.Superseded) > 0 {
			t.Errorf("revert: %+v, %v", out, err)
		}
		until(t, "it is thawed", func() bool { return !r.Broken() })
	}
}

// TestStoppedAlready refuses what would have no effect.
func TestStoppedAlready(t *testing.T) {
	cmd := run(t, "sleep", "600")
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	until(t, "it is stopped", func() bool { return state(cmd.Process.Pid) == proc.Stopped })
	dead := exec.Command("true")
	_ = dead.Run()
	for _, action := range []string{"kill", "stop", "pause"} {
		want := fmt.Sprintf("process %d (sleep) is stopped or traced already: `belay fault list` shows whether a fault holds it", cmd.Process.Pid)
		if _, _, err := plan(t, object{action: object{"pid": cmd.Process.Pid}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", action, err, want)
		}
		want = fmt.Sprintf("process %d does not run: is the service up", dead.Process.Pid)
		if _, _, err := plan(t, object{action: object{"pid": dead.Process.Pid}}); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", action, err, want)
		}
		stale := filepath.Join(t.TempDir(), "app.pid")
		if err := os.WriteFile(stale, fmt.Appendln(nil, dead.Process.Pid), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := plan(t, object{action: object{"pid_file": stale}}); err == nil || err.Error() != stale+": "+want {
			t.Errorf("%s: %v, want %s: %s", action, err, stale, want)
		}
	}
}
