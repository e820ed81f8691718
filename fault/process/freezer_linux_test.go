package process

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestEmptyFreezer refuses a group whose processes are in another hierarchy than the one that could freeze them. Version 1 has one
// for each controller, and a group of the same name in each: to freeze an empty one stops nobody.
func TestEmptyFreezer(t *testing.T) {
	const top = "/sys/fs/cgroup"
	name := "belay-process-" + rand.Text()[:10]
	cpu, freezer := filepath.Join(top, "cpu", name), filepath.Join(top, "freezer", name)
	if os.Mkdir(cpu, 0o755) != nil || os.Mkdir(freezer, 0o755) != nil {
		_ = os.Remove(cpu)
		t.Log("NOT TESTED: there are no control groups of version 1 that we may change")
		return
	}
	cmd := run(t, "sleep", "600")
	t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(freezer, "freezer.state"), []byte("THAWED"), 0)
		_ = cmd.Process.Kill()
		for _, dir := range []string{cpu, freezer} {
			until(t, dir+" is gone", func() bool { err := os.Remove(dir); return err == nil || os.IsNotExist(err) })
		}
	})
	pid := fmt.Sprint(cmd.Process.Pid)
	write(t, filepath.Join(cpu, "cgroup.procs"), pid)
	_, _, err := plan(t, object{"freeze": object{"cgroup": "/" + name}})
	want := "cgroup /" + name + " is in no hierarchy that can freeze: process.stop can stop its processes"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	write(t, filepath.Join(freezer, "cgroup.procs"), pid)
	if _, _, err := plan(t, object{"freeze": object{"cgroup": "/" + name}}); err != nil {
		t.Errorf("with the process in both: %v", err)
	}
}
