package resource_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/resource"
)

// nobody is a user who owns nothing.
const nobody = 65534

// The variables that name a cgroup and a process of root, for what nobody may not do with them.
const (
	groupVar   = "BELAY_TEST_GROUP"
	processVar = "BELAY_TEST_PROCESS"
)

// TestAsNobody runs what needs no rights again as a normal user: pressure, a full disk, descriptors of own processes. What
// needs rights is refused with a hint.
func TestAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		return // all of this test binary runs as a normal user already
	}
	dir, err := os.MkdirTemp("", "belay-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "resource.test")
	if out, err := exec.Command("install", "-m", "755", exe, binary).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	limited, _ := group(t, "cpu")
	own := victim(t)
	enter(t, limited, own.Process.Pid)
	cmd := exec.Command(binary, "-test.v", "-test.run=^(TestConformance|TestCPUPressure|TestMemoryPressure|TestDescriptors|TestRefusals|TestInsideNobody)$")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, groupVar + "=" + limited, processVar + "=" + strconv.Itoa(own.Process.Pid),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: false}}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "MEASURED") {
			t.Log("as nobody: " + strings.TrimSpace(line))
		}
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInsideNobody") || !strings.Contains(string(out), "--- PASS: TestConformance/disk_fill/bytes") {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}

// TestInsideNobody is for the process that TestAsNobody starts.
func TestInsideNobody(t *testing.T) {
	limited := os.Getenv(groupVar)
	if limited == "" {
		return
	}
	roots, err := strconv.Atoi(os.Getenv(processVar))
	if err != nil {
		t.Fatal(err)
	}
	app := victim(t)
	theirs := fmt.Sprintf("process %d (sleep) belongs to user 0, not to us (%d)", roots, nobody)
	for _, r := range []refusal{
		{"fd_exhaustion", object{"pid": roots}, theirs},
		{"cpu_limit", object{"pid": roots, "share": "20%", "any_user": true}, theirs},
		{"cpu_limit", object{"cgroup": limited, "share": "20%"}, "cannot be written by us: run as root, or limit a cgroup that was delegated to you"},
		{"cpu_limit", object{"pid": app.Process.Pid, "share": "20%", "alone": true}, "cannot be changed by us: run as root, or limit a cgroup that was delegated to you"},
		{"cpu_pressure", object{"cgroup": limited}, "cannot be changed by us: run as root, or name a cgroup that was delegated to you"},
		{"disk_fill", object{"dir": "/etc", "records_too": true}, "permission denied"},
	} {
		r.try(t)
	}
	for _, c := range resource.Capabilities(t.Context()) {
		limits := c.Class == fault.Restore && c.Fidelity == fault.Host
		if c.Here == limits || limits && !strings.Contains(c.Why, "run as root") {
			t.Errorf("as nobody: %s: here %v, %s", c.Fault, c.Here, c.Why)
		}
	}
}
