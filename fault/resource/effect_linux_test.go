package resource_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/resource"
)

// held is a fault that this test has injected.
type held struct {
	fault.Target
	plan fault.Plan
	undo json.RawMessage
	seen string
}

// inject makes a fault in this process, confirms it, and takes it back after the test.
func inject(t testing.TB, kind string, config object) *held {
	t.Helper()
	target, err := resource.Kinds().Decode(spec(t, kind, config))
	if err != nil {
		t.Fatal(err)
	}
	h := &held{Target: target}
	if h.plan, err = target.Plan(t.Context(), fault.Ask{ID: "f1"}); err != nil {
		t.Fatal(err)
	}
	h.undo = h.plan.Undo
	save := func(u json.RawMessage) error { h.undo = u; return nil }
	t.Cleanup(func() { h.revert(t) })
	if err := target.Inject(t.Context(), h.undo, save); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		h.seen, err = target.Confirm(t.Context(), h.undo)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	t.Logf("plan: %s; %s; radius %s", h.plan.Target, strings.Join(h.plan.Changes, "; "), strings.Join(h.plan.Radius, "; "))
	t.Logf("confirmed: %s", h.seen)
	return h
}

func (h *held) revert(t testing.TB) fault.Outcome {
	t.Helper()
	out, err := h.Revert(context.Background(), h.undo, func(u json.RawMessage) error { h.undo = u; return nil })
	if err != nil {
		t.Error(err)
	}
	if left, err := h.Residue(context.Background(), h.undo); err != nil || len(left) > 0 {
		t.Errorf("residue: %v, %v", left, err)
	}
	return out
}

// used is the processor time of a process so far, by the kernel's ticks of a hundredth of a second.
func used(t testing.TB, pid int) time.Duration {
	t.Helper()
	text := read(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	var user, system int64
	if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// usage is how many processors a process uses, measured for that long.
func usage(t testing.TB, pid int, during time.Duration) float64 {
	t.Helper()
	began, before := time.Now(), used(t, pid)
	time.Sleep(during)
	return (used(t, pid) - before).Seconds() / time.Since(began).Seconds()
}

// wants is how many processors a process gets that wants one; a machine that is busy with other things gives less than that.
func wants(t testing.TB) float64 {
	free := victim(t, "sh", "-c", "while :; do :; done")
	defer end(free)
	return usage(t, free.Process.Pid, time.Second)
}

// TestThrottle is exact enough on a machine that has the time to give.
func TestThrottle(t *testing.T) {
	if !needRoot(t) {
		return
	}
	for _, asked := range []float64{0.05, 0.2, 0.5} {
		dir, _ := group(t, "cpu")
		app := victim(t, "sh", "-c", "while :; do :; done")
		enter(t, dir, app.Process.Pid)
		h := inject(t, "cpu_limit", object{"cgroup": dir, "cpus": asked})
		if !strings.Contains(h.seen, "throttled") {
			t.Errorf("it was confirmed by %q", h.seen)
		}
		got := usage(t, app.Process.Pid, 2*time.Second)
		t.Logf("MEASURED cpu_limit asked %.2f got %.3f", asked, got)
		// A busy machine may give less; more than the limit it never may.
		if got > asked*1.4+0.01 || got < asked*0.6 && wants(t) > asked*1.5 {
			t.Errorf("asked for %.2f CPUs, got %.3f", asked, got)
		}
		h.revert(t)
		after := usage(t, app.Process.Pid, time.Second)
		t.Logf("MEASURED cpu_limit reverted: %.3f", after)
		if after < asked*1.5 && after < wants(t)*0.5 {
			t.Errorf("after the revert it still gets only %.3f", after)
		}
		end(app)
	}
}

// TestThrottleAlone throttles one process and its children, and not the one beside it.
func TestThrottleAlone(t *testing.T) {
	if !needRoot(t) {
		return
	}
	dir, _ := group(t, "cpu")
	app, beside := victim(t, "sh", "-c", "while :; do :; done"), victim(t)
	enter(t, dir, app.Process.Pid)
	enter(t, dir, beside.Process.Pid)
	h := inject(t, "cpu_limit", object{"pid": app.Process.Pid, "share": "10%", "alone": true})
	if in := members(dir); len(in) != 1 || in[0] != beside.Process.Pid {
		t.Errorf("in the group are %v", in)
	}
	got := usage(t, app.Process.Pid, time.Second)
	t.Logf("MEASURED cpu_limit alone asked 0.10 got %.3f", got)
	if got > 0.16 {
		t.Errorf("asked for 0.1 CPUs, got %.3f", got)
	}
	if out := h.revert(t); len(out.Superseded) > 0 || len(members(dir)) != 2 {
		t.Errorf("after the revert %v; in the group are %v", out.Superseded, members(dir))
	}
}

// TestMemoryLimit lets the kernel kill who takes more, and nobody else.
func TestMemoryLimit(t *testing.T) {
	if !needRoot(t) {
		return
	}
	dir, _ := group(t, "memory")
	app := victim(t)
	enter(t, dir, app.Process.Pid)
	h := inject(t, "memory_limit", object{"cgroup": dir, "bytes": "32MiB"})
	greedy := func() error {
		return exec.Command("sh", "-c", `echo $$ > "$1/cgroup.procs"; exec dd if=/dev/zero of=/dev/null bs=64M count=1`, "sh", dir).Run()
	}
	if err := greedy(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("64 MiB under a limit of 32 MiB: %v", err)
	}
	if len(members(dir)) != 1 {
		t.Error("the idle process was hit")
	}
	h.revert(t)
	if err := greedy(); err != nil {
		t.Errorf("after the revert: %v", err)
	}
}

// TestDiskSlow writes past all caches.
func TestDiskSlow(t *testing.T) {
	if !needRoot(t) {
		return
	}
	disk := diskDir(t)
	dir, _ := group(t, "io")
	app := victim(t)
	enter(t, dir, app.Process.Pid)
	speed := func() float64 {
		began := time.Now()
		out, err := exec.Command("sh", "-c", `echo $$ > "$1/cgroup.procs"; exec dd if=/dev/zero of="$2" bs=64k count=48 oflag=direct`,
			"sh", dir, filepath.Join(disk, "eyes")).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return 3 / time.Since(began).Seconds()
	}
	free := speed()
	h := inject(t, "disk_slow", object{"cgroup": dir, "path": disk, "write": "2MiB", "read": "4MiB"})
	got := speed()
	t.Logf("MEASURED disk_slow asked 2 MiB/s got %.2f MiB/s, free %.0f MiB/s", got, free)
	if got > 3 || got < 1 {
		t.Errorf("asked for 2 MiB/s, got %.2f", got)
	}
	h.revert(t)
	if after := speed(); after < 4 {
		t.Errorf("after the revert %.2f MiB/s", after)
	}
}

// TestCPUPressure measures the worker from outside.
func TestCPUPressure(t *testing.T) {
	for _, asked := range []string{"20%", "50%", "80%"} {
		h := inject(t, "cpu_pressure", object{"load": asked, "cpus": 1})
		got := usage(t, workerOf(t, h.undo), 2*time.Second)
		most := wants(t)
		want, err := resource.Amount(asked).Share()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("MEASURED cpu_pressure asked %s got %.1f%%; a process that wants all gets %.0f%%", asked, got*100, most*100)
		if got > want+0.05 || got < want-0.08 && most > want+0.15 {
			t.Errorf("asked for %s, got %.3f", asked, got)
		}
		h.revert(t)
	}
}

// workerOf is the process ID of the worker, as a stranger would find it.
func workerOf(t testing.TB, undo json.RawMessage) int {
	t.Helper()
	var u struct {
		Process struct {
			PID int `json:"pid"`
		} `json:"process"`
	}
	if err := json.Unmarshal(undo, &u); err != nil || u.Process.PID == 0 {
		t.Fatalf("no worker in %s: %v", undo, err)
	}
	return u.Process.PID
}

// TestMemoryPressure looks at what the worker has, and that the kernel would take it first.
func TestMemoryPressure(t *testing.T) {
	began := time.Now()
	h := inject(t, "memory_pressure", object{"bytes": "128MiB"})
	took := time.Since(began)
	pid := workerOf(t, h.undo)
	got := float64(resident(pid)) / (1 << 20)
	t.Logf("MEASURED memory_pressure asked 128 MiB got %.1f MiB in %s", got, took.Round(time.Millisecond))
	if got < 128 || got > 160 {
		t.Errorf("asked for 128 MiB, got %.1f", got)
	}
	if score := read(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); score != "1000" {
		t.Errorf("its score is %s: somebody else would be killed first", score)
	}
	began = time.Now()
	h.revert(t)
	t.Logf("MEASURED memory_pressure reverted in %s", time.Since(began).Round(time.Millisecond))
	if resident(pid) != 0 {
		t.Error("it is still there")
	}
}

// TestDescriptors lets a process run out of descriptors, and no more.
func TestDescriptors(t *testing.T) {
	for _, leave := range []int{0, 3} {
		h := fdVictim(t)
		f := inject(t, "fd_exhaustion", object{"pid": h.pid, "leave": leave})
		if got, want := h.ask(), fmt.Sprintf("%d EMFILE", leave); got != want {
			t.Errorf("leave %d: it opened %s, want %s", leave, got, want)
		}
		t.Logf("MEASURED fd_exhaustion leave %d: it could open %s", leave, h.ask())
		f.revert(t)
		if got := h.ask(); got != "50" {
			t.Errorf("after the revert it opened %s, want 50", got)
		}
	}
}

// TestDiskFill leaves as much as was asked for.
func TestDiskFill(t *testing.T) {
	if !needRoot(t) {
		return
	}
	free := func(dir string) int64 {
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		return int64(st.Bavail) * st.Bsize
	}
	for _, c := range []struct {
		config object
		want   int64
	}{
		{object{}, 0},
		{object{"leave": "1MiB"}, 1 << 20},
		{object{"bytes": "3MiB"}, 13 << 20},
	} {
		dir := tmpfs(t, "16m")
		c.config["dir"] = dir
		began := time.Now()
		h := inject(t, "disk_fill", c.config)
		t.Logf("MEASURED disk_fill %v: %d bytes free, wanted %d, after %s", c.config, free(dir), c.want, time.Since(began).Round(100*time.Microsecond))
		if got := free(dir); got > c.want || got < c.want-64<<10 {
			t.Errorf("%v: %d bytes free, want %d", c.config, got, c.want)
		}
		h.revert(t)
		if got := free(dir); got != 16<<20 {
			t.Errorf("after the revert %d bytes free", got)
		}
		if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
			t.Errorf("it left %v, %v", names, err)
		}
	}
}
