package resource_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/uml"
)

// TestVersion2 tries limits with cgroup v2, in a kernel that has its controllers, whatever this machine has.
func TestVersion2(t *testing.T) {
	if uml.Inside() {
		return
	}
	o := uml.Options{Modules: []string{"loop"}, Run: "^TestInsideV2$", Timeout: 3 * time.Minute}
	if long() {
		o.Timeout = 15 * time.Minute
	}
	uml.Run(t, o)
}

// long says that the conformance suite is run inside too: there it takes a minute or two for each fault.
func long() bool { return os.Getenv("CI") == "true" || os.Getenv("BELAY_TORTURE") != "" }

// TestInsideV2 is for inside.
func TestInsideV2(t *testing.T) {
	if !uml.Inside() {
		return
	}
	t.Setenv(diskVar, loopDisk(t))
	for _, c := range []string{"cpu", "memory", "io"} {
		if dir, v2 := hierarchy(t, c); !v2 {
			t.Fatalf("%s has the controller %s in version 1", dir, c)
		}
	}
	t.Run("refused groups", TestRefusedGroups)
	t.Run("throttle", TestThrottle)
	t.Run("throttle alone", TestThrottleAlone)
	t.Run("memory limit", TestMemoryLimit)
	t.Run("disk slow", TestDiskSlow)
	if !long() {
		t.Log("the conformance suite inside is for CI=true and BELAY_TORTURE=1")
		return
	}
	rigs := map[string]func(testing.TB) faulttest.Rig{"cpu_limit/alone": aloneRig, "memory_limit": memoryRig}
	if os.Getenv("BELAY_TORTURE") != "" {
		rigs["cpu_limit"], rigs["disk_slow"] = cpuRig, diskRig
	}
	for name, rig := range rigs {
		t.Run("conformance/"+name, func(t *testing.T) { faulttest.Run(t, rig) })
	}
}

// loopDisk is a directory on a disk of its own, which is a file.
func loopDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, point := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	for _, cmd := range [][]string{
		{"truncate", "-s", "96M", image},
		{"mkfs.ext4", "-q", "-F", image},
		{"mkdir", point},
		{"mount", "-o", "loop", image, point},
	} {
		if out, err := exec.Command(cmd[0], cmd[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(cmd, " "), err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", point).Run() })
	if _, err := os.Stat(filepath.Join(point, "lost+found")); err != nil {
		t.Fatal(err)
	}
	return point
}
