package resource_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/resource"
)

// TestAt limits the whole cgroup of a process that only code knows, as for a container, and takes it back by the undo alone.
func TestAt(t *testing.T) {
	if !needRoot(t) {
		return
	}
	dir, v2 := group(t, "cpu")
	a, b := victim(t), victim(t)
	enter(t, dir, a.Process.Pid)
	enter(t, dir, b.Process.Pid)
	r := resource.Resource{CPULimit: &resource.CPULimit{Share: "5%"}}
	if wrong := r.CheckAmounts(); len(wrong) > 0 {
		t.Errorf("without a place: %v", wrong)
	}
	if wrong := r.CheckConfig(); len(wrong) != 1 {
		t.Errorf("a playbook must say where: %v", wrong)
	}
	p, err := r.At(a.Process.Pid).Target().Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "2 processes in cgroup " + dir; len(p.Radius) != 1 || p.Radius[0] != want {
		t.Errorf("the radius is %v, want %s", p.Radius, want)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	file, free := filepath.Join(dir, "cpu.cfs_quota_us"), "-1"
	if v2 {
		file, free = filepath.Join(dir, "cpu.max"), "max 100000"
	}
	if err := r.Target().Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	if got := read(file); !strings.HasPrefix(got, "5000") {
		t.Errorf("the limit is %s", got)
	}
	if out, err := r.Target().Revert(t.Context(), undo, save); err != nil || len(out.Superseded) > 0 || read(file) != free {
		t.Errorf("revert: %+v, %v; the limit is %s", out, err, read(file))
	}
}

// TestAtPaths shows where the paths of a config are looked for.
func TestAtPaths(t *testing.T) {
	fill := resource.Resource{DiskFill: &resource.DiskFill{Dir: "/data", Bytes: "1MB"}}
	if got := fill.At(42).DiskFill.Dir; got != "/proc/42/root/data" || fill.DiskFill.Dir != "/data" {
		t.Errorf("the directory is %s, and was %s", got, fill.DiskFill.Dir)
	}
	slow := resource.Resource{DiskSlow: &resource.DiskSlow{Path: "/", Write: "1MB"}}
	if got := slow.At(42).DiskSlow.Path; got != "/proc/42/root" {
		t.Errorf("the path is %s", got)
	}
	fds := resource.Resource{FDExhaustion: &resource.FDExhaustion{Leave: 3}}
	if got := fds.At(42).FDExhaustion; got.PID != 42 || !got.AnyUser || got.Leave != 3 {
		t.Errorf("descriptors of %+v", got)
	}
}

// TestGoneGroup is not put back into another group of the same name.
func TestGoneGroup(t *testing.T) {
	if !needRoot(t) {
		return
	}
	dir, v2 := group(t, "cpu")
	app := victim(t)
	enter(t, dir, app.Process.Pid)
	h := inject(t, "cpu_limit", object{"cgroup": dir, "share": "3%"})
	removeGroup(dir)
	// Another one takes its place, with the very value that the fault set.
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, value := "cpu.cfs_quota_us", "3000"
	if v2 {
		file, value = "cpu.max", "3000 100000"
	}
	write(t, filepath.Join(dir, file), value)
	out := h.revert(t)
	if want := fmt.Sprintf("cgroup %s is gone", dir); len(out.Superseded) != 1 || out.Superseded[0] != want {
		t.Errorf("superseded: %v, want %s", out.Superseded, want)
	}
	if got := read(filepath.Join(dir, file)); got != value {
		t.Errorf("the other group's limit is %s, and was %s", got, value)
	}
}

// TestCapabilities is about a machine on which root may do everything.
func TestCapabilities(t *testing.T) {
	all := resource.Capabilities(t.Context())
	if len(all) != 7 {
		t.Errorf("%d capabilities", len(all))
	}
	for _, c := range all {
		t.Logf("%s: here %v, %s %s", c.Fault, c.Here, c.Mechanism, c.Why)
		if c.Here == (c.Mechanism == "") || c.Here == (c.Why != "") || c.Effect == "" {
			t.Errorf("%+v is not complete", c)
		}
		if os.Geteuid() == 0 && !c.Here {
			t.Errorf("%s cannot be made by root: %s", c.Fault, c.Why)
		}
	}
	// Somebody else may be looking at this very moment.
	left := []string{""}
	for end := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left, _ = filepath.Glob("/sys/fs/cgroup/*/belay-look-*")
	}
	if len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}
