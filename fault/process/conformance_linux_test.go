package process

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/faulttest"
)

func TestConformance(t *testing.T) {
	rigs := map[string]func(testing.TB) faulttest.Rig{
		"kill":  func(t testing.TB) faulttest.Rig { return signalRig(t, "kill") },
		"stop":  func(t testing.TB) faulttest.Rig { return signalRig(t, "stop") },
		"pause": func(t testing.TB) faulttest.Rig { return signalRig(t, "pause") },
	}
	for version, dir := range groupMounts(t) {
		rigs["kill cgroup "+version] = func(t testing.TB) faulttest.Rig { return groupRig(t, dir, "kill") }
		rigs["freeze "+version] = func(t testing.TB) faulttest.Rig { return groupRig(t, dir, "freeze") }
	}
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

func signalRig(t testing.TB, action string) faulttest.Rig {
	file := filepath.Join(t.TempDir(), "app.pid")
	start := func() int {
		pid := foreign(t, "sleep", "600")
		write(t, file, fmt.Sprintln(pid))
		return pid
	}
	pid := start()
	end := func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		until(t, "it has ended", func() bool { return state(pid) == 0 })
	}
	r := faulttest.Rig{
		Kinds: Kinds(), Spec: faulttest.Spec(t, object{"process": object{action: object{"pid_file": file}}}),
		Broken: func() bool { return strings.IndexByte("Tt", state(pid)) >= 0 },
		Remove: end, KernelEnds: action == "pause", OneShot: action == "kill",
	}
	if r.OneShot {
		r.Broken = func() bool { return state(pid) == 0 }
		return r
	}
	var next int
	r.Change = func() { end(); next = start() }
	r.Intact = func() bool { return strings.IndexByte("SR", state(next)) >= 0 }
	return r
}

// groupMounts are the hierarchies in which this user may make control groups: "v2" and "v1". As root at least one is.
func groupMounts(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		v2, v1 := f[2] == "cgroup2", f[2] == "cgroup" && strings.Contains(","+f[3]+",", ",freezer,")
		if (v2 || v1) && unix.Access(f[1], unix.W_OK) == nil {
			out[map[bool]string{true: "v2", false: "v1"}[v2]] = f[1]
		}
	}
	if len(out) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no hierarchy of control groups may be written: run as root")
		}
		t.Log("NOT TESTED on control groups: none may be written")
	}
	return out
}

func groupRig(t testing.TB, mount, action string) faulttest.Rig {
	dir := filepath.Join(mount, "belay-process-"+rand.Text()[:10])
	var all []*exec.Cmd
	start := func() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			cmd := run(t, "sleep", "600")
			all = append(all, cmd)
			write(t, filepath.Join(dir, "cgroup.procs"), fmt.Sprint(cmd.Process.Pid))
		}
	}
	end := func() {
		_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
		_ = os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0)
		for _, cmd := range all {
			_ = cmd.Process.Kill()
		}
		until(t, "the group is gone", func() bool { err := os.Remove(dir); return err == nil || os.IsNotExist(err) })
	}
	start()
	t.Cleanup(end)
	frozen := func() bool {
		v1, _ := os.ReadFile(filepath.Join(dir, "freezer.state"))
		v2, _ := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		return strings.TrimSpace(string(v1)) == "FROZEN" || strings.Contains(string(v2), "frozen 1")
	}
	living := func() (n int) {
		for _, cmd := range all {
			if state(cmd.Process.Pid) != 0 {
				n++
			}
		}
		return n
	}
	r := faulttest.Rig{
		Kinds: Kinds(), Spec: faulttest.Spec(t, object{"process": object{action: object{"cgroup": "/" + filepath.Base(dir), "max": 2}}}),
		Broken: frozen, Remove: end,
	}
	if action == "kill" {
		r.OneShot, r.Broken = true, func() bool { return living() == 0 }
		return r
	}
	r.Change = func() { end(); start() }
	r.Intact = func() bool { return !frozen() && living() == 2 }
	return r
}
