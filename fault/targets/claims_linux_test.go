package targets_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/targets"
)

// claims are what a plan keeps others from.
func claims(t *testing.T, spec object) []string {
	t.Helper()
	target, err := targets.Host().Decode(faulttest.Spec(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	return append(p.Touches, p.Claims...)
}

// notApart fails when two of the faults may be held at the same time.
func notApart(t *testing.T, specs []object) {
	t.Helper()
	all := make([][]string, len(specs))
	for n, s := range specs {
		all[n] = claims(t, s)
		for m := range n {
			if fault.Overlap(all[m], all[n]) == "" {
				a, _ := json.Marshal(specs[m])
				b, _ := json.Marshal(s)
				t.Errorf("they may be held together:\n%s %q\n%s %q", a, all[m], b, all[n])
			}
		}
	}
}

// TestSameProcess keeps faults of different families apart that could not be taken back while the other one is held.
func TestSameProcess(t *testing.T) {
	pid := victim(t, filepath.Join(t.TempDir(), "app.pid")).Process.Pid
	specs := []object{
		{"process": object{"stop": object{"pid": pid}}},
		{"process": object{"pause": object{"pid": pid}}},
		{"process": object{"kill": object{"pid": pid}}},
	}
	if runtime.GOARCH == "amd64" {
		specs = append(specs, object{"clock": object{"pid": pid, "shift": "+2h"}})
	}
	notApart(t, specs)
}

// TestSameFiles does so for what is done to a directory and to what is in it.
func TestSameFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data", "rows")
	nettest.Run(t, "mkdir", "-p", filepath.Dir(path))
	write(t, path, strings.Repeat("row\n", 1000))
	link := filepath.Join(dir, "current")
	nettest.Run(t, "ln", "-s", filepath.Dir(path), link)
	notApart(t, []object{
		{"file": object{"lost": filepath.Dir(path)}},
		{"file": object{"unavailable": path}},
		{"file": object{"corrupt": object{"path": filepath.Join(link, "rows"), "bytes": 1}}},
		{"file": object{"read_only": filepath.Dir(path)}},
		{"file": object{"slow": object{"path": filepath.Dir(path), "delay": "100ms"}}},
		{"file": object{"errors": object{"path": filepath.Dir(path), "error": "EIO"}}},
	})
}

// TestSameNamespace finds one network namespace by its name and by a process in it.
func TestSameNamespace(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7000)
	cmd := exec.Command("ip", "netns", "exec", here.Name, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	inside := fmt.Sprintf("net:[%d]", here.Ref.Inode)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if now, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid)); now == inside {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the process does not enter the namespace")
		}
	}
	to := []string{fmt.Sprintf("%s:7000", there.IPv4)}
	var specs []object
	for key, value := range map[string]any{"netns": here.Name, "pid": cmd.Process.Pid} {
		specs = append(specs,
			object{"network": object{key: value, "partition": object{"to": to}}},
			object{"network": object{key: value, "loss": object{"to": to, "percent": 50}}})
	}
	notApart(t, specs)
}
