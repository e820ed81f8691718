package clock

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRefusals has one line for each clock that is never shifted.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	_ = dead.Run()
	stopped := foreign(t, "sleep", "600")
	_ = syscall.Kill(stopped, syscall.SIGSTOP)
	until(t, "it is stopped", func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", stopped))
		return bytes.Contains(b, []byte("(sleep) T"))
	})
	shifted := start(t, "idle")
	h := inject(t, shifted.pid, "+1h")
	defer h.revert()
	write(t, filepath.Join(dir, "two.pid"), "101 102")
	const shape = "fault clock: shift: must be whole seconds, 1s to 87840h, forward or backward"
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{"shift": "+1h"}, "fault clock: give exactly one of pid_file, pid, unit and name"},
		{object{"pid": 5, "unit": "a.service", "shift": "+1h"}, "fault clock: give exactly one of pid_file, pid, unit and name"},
		{object{"pid": 1, "shift": "+1h"}, "fault clock: pid: must be above 1"},
		{object{"name": "app", "shift": "+1h"}, "fault clock: owner: goes with name: the user whose processes of this name are meant"},
		{object{"pid": 5}, `fault clock: shift: say how far, for example "+24h"`},
		{object{"pid": 5, "shift": "1 day"}, `fault clock: shift: "1 day" is no duration: for example "+24h" or "-90s"`},
		{object{"pid": 5, "shift": "0s"}, shape},
		{object{"pid": 5, "shift": "1500ms"}, shape},
		{object{"pid": 5, "shift": "-87841h"}, shape},
		{object{"pid": 5, "shift": "+1h", "cgroup": "/x"}, `fault clock: unknown field "cgroup"`},
		{object{"pid": dead.Process.Pid, "shift": "+1h"}, fmt.Sprintf("process %d does not run: is the service up", dead.Process.Pid)},
		{object{"pid": stopped, "shift": "+1h"}, fmt.Sprintf("process %d (sleep) is stopped or traced already: `belay fault list` shows whether a fault holds it", stopped)},
		{object{"pid": shifted.pid, "shift": "+2h"}, fmt.Sprintf("the clock of process %d (belay-clock-vic) is shifted already", shifted.pid)},
		{object{"pid": 2, "shift": "+1h"}, "process 2 (kthreadd) is a thread of the kernel: it is never hit"},
		{object{"pid_file": filepath.Join(dir, "two.pid"), "shift": "+1h"}, ""},
	} {
		_, err := plan(t, c.config)
		if err == nil || c.want != "" && err.Error() != c.want {
			t.Errorf("%v: %v, want %q", c.config, err, c.want)
		}
	}
}

// TestChildren shows what becomes of processes that are forked meanwhile: they have the shifted clock until they start
// another program, and the revert takes it from those that still have it.
func TestChildren(t *testing.T) {
	python := python3(t)
	if python == "" {
		return
	}
	dir := t.TempDir()
	pid := foreign(t, python, "-c", `
import os, sys, time
dir = sys.argv[1]
def tell(name, n=1 << 30):
    for i in range(n):
        with open(dir + "/" + name + ".new", "w") as f: f.write(repr(time.time()))
        os.rename(dir + "/" + name + ".new", dir + "/" + name)
        time.sleep(0.005)
while not os.path.exists(dir + "/fork"):
    tell("parent", 1)
for name in "child", "other":
    if os.fork() == 0:
        open(dir + "/pids", "a").write("%d\n" % os.getpid())
        if name == "other":
            os.execv(sys.executable, [sys.executable, "-c", """
import sys, time
open(sys.argv[1], "w").write(repr(time.time()))
time.sleep(600)
""", dir + "/exec"])
        tell(name)
tell("parent")
`, dir)
	ahead := func(name string) func() time.Duration {
		return func() time.Duration {
			var at float64
			b, err := os.ReadFile(filepath.Join(dir, name))
			if _, err2 := fmt.Sscan(string(b), &at); err != nil || err2 != nil {
				return 0
			}
			return time.Duration((at - float64(time.Now().UnixNano())/1e9) * 1e9)
		}
	}
	until(t, "it tells its time", func() bool { return ahead("parent")() != 0 })
	t.Cleanup(func() {
		b, _ := os.ReadFile(filepath.Join(dir, "pids"))
		for line := range strings.Lines(string(b)) {
			if child, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
		}
	})
	h := inject(t, pid, "-48h")
	h.confirm()
	write(t, filepath.Join(dir, "fork"), "")
	shifted := func(name string) func() bool {
		return func() bool { return (ahead(name)() + 48*time.Hour).Abs() < time.Second }
	}
	right := func(name string) func() bool {
		return func() bool { d := ahead(name)(); return d != 0 && d.Abs() < 2*time.Second }
	}
	until(t, "the parent has the shifted clock", shifted("parent"))
	until(t, "so has its child", shifted("child"))
	until(t, "a program that was started has not", func() bool { _, err := os.Stat(filepath.Join(dir, "exec")); return err == nil && right("exec")() })
	if left, err := h.target.Residue(t.Context(), h.undo); err != nil || len(left) != 2 {
		t.Errorf("residue while held: %v, %v, want parent and child", left, err)
	}
	h.revert()
	until(t, "the parent is back", right("parent"))
	until(t, "so is its child", right("child"))
}

// TestPython shifts every way in which a C program asks for the wall clock, and no other.
func TestPython(t *testing.T) {
	python := python3(t)
	if python == "" {
		return
	}
	path := filepath.Join(t.TempDir(), "times")
	pid := foreign(t, python, "-c", `
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
libc.time.restype = ctypes.c_long
def clock(n):
    ts = (ctypes.c_long * 2)()
    assert libc.clock_gettime(n, ts) == 0
    return ts[0] + ts[1] / 1e9
def timeofday():
    tv = (ctypes.c_long * 2)()
    assert libc.gettimeofday(tv, None) == 0
    return tv[0] + tv[1] / 1e6
def stored():
    at = ctypes.c_long()
    libc.time(ctypes.byref(at))
    return at.value
n = 0
while True:
    n += 1
    assert libc.clock_gettime(4711, (ctypes.c_long * 2)()) == -1 # an unknown clock is still an error
    assert libc.gettimeofday(None, None) == 0
    with open(sys.argv[1] + ".new", "w") as f:
        print(n, time.time(), clock(0), clock(5), clock(11), timeofday(), libc.time(None), stored(), time.monotonic(), clock(1), clock(7), file=f)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(0.002)
`, path)
	read := func() []float64 {
		var first float64
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			b, _ := os.ReadFile(path)
			all := make([]float64, 11)
			list := make([]any, len(all))
			for n := range all {
				list[n] = &all[n]
			}
			if n, _ := fmt.Sscan(string(b), list...); n != len(all) {
				continue
			}
			if first == 0 {
				first = all[0]
			}
			if all[0] > first+2 { // what it saw after this call began
				return all
			}
		}
		t.Fatal("it tells nothing")
		return nil
	}
	names := []string{"", "time.time", "REALTIME", "REALTIME_COARSE", "TAI", "gettimeofday", "time", "time(&t)", "monotonic", "MONOTONIC", "BOOTTIME"}
	check := func(when string, shift time.Duration) {
		got := read()
		now := float64(time.Now().UnixNano()) / 1e9
		var boot unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &boot)
		var since unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &since)
		for n, name := range names {
			want, within := now+shift.Seconds(), 1.1
			switch {
			case n == 0:
				continue
			case name == "TAI":
				within = 60 // leap seconds
			case strings.EqualFold(name, "monotonic"):
				want = float64(boot.Nano()) / 1e9
			case name == "BOOTTIME":
				want = float64(since.Nano()) / 1e9
			}
			if d := got[n] - want; d > within || d < -within {
				t.Errorf("%s: %s is %.3f s from what it should be", when, name, d)
			}
		}
	}
	check("before", 0)
	for _, shift := range []time.Duration{24 * time.Hour, -time.Hour} {
		h := inject(t, pid, signed(shift))
		until(t, "it asks for the time while it is watched", func() bool { return strings.Contains(h.confirm(), "asked for the time") })
		check("shifted by "+signed(shift), shift)
		if out := h.revert(); len(out.Superseded) > 0 {
			t.Errorf("revert: %+v", out)
		}
		check("after", 0)
	}
}

// python3 is CPython. Without it a test fails when CI=true; otherwise it says so.
func python3(t *testing.T) string {
	t.Helper()
	// Debian's own first: a version manager's is a script that starts another program.
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("find python3 (install the package python3)")
	}
	t.Log("NOT TESTED on CPython: there is no python3")
	return ""
}

// TestExecuted leaves a process alone that runs another program by now.
func TestExecuted(t *testing.T) {
	dir := t.TempDir()
	pid := foreign(t, "sh", "-c", `while [ ! -e "$1/go" ]; do sleep 0.01; done; exec sleep 600`, "sh", dir)
	until(t, "it has a vDSO", func() bool { _, err := findArea(pid); return err == nil })
	h := inject(t, pid, "+1h")
	h.confirm()
	write(t, filepath.Join(dir, "go"), "")
	until(t, "it runs another program", func() bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return strings.HasSuffix(exe, "/sleep") || strings.HasSuffix(exe, "coreutils")
	})
	want := fmt.Sprintf("process %d runs another program now, or somebody else changed its vDSO", pid)
	if out := h.revert(); !slices.Equal(out.Superseded, []string{want}) {
		t.Errorf("revert: %+v, want %s", out, want)
	}
}
