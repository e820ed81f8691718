package file_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/file"
	"github.com/belay-dr/belay/fault/hold"
)

// TestAllDead kills everybody, also the process that serves the file system: the directory gives only errors then, and the
// next command puts that right.
func TestAllDead(t *testing.T) {
	if !root(t) {
		return
	}
	dir, state := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "holds")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(dir) })
	write(t, filepath.Join(dir, "file"), "kept")
	_, err := faulttest.Launcher(file.Kinds(), state).Hold(t.Context(), hold.Request{
		ID: "f1", NoPlaybook: "test", Limit: time.Minute,
		Fault: faulttest.Spec(t, object{"file": object{"slow": object{"path": dir, "delay": "10ms"}}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var rec struct {
		Holder struct{ PID int }
		Undo   struct{ Served struct{ PID int } }
	}
	b, err := os.ReadFile(filepath.Join(state, "f1.json"))
	if err := errors.Join(err, json.Unmarshal(b, &rec)); err != nil || rec.Holder.PID < 2 || rec.Undo.Served.PID < 2 {
		t.Fatalf("record: %v: %s", err, b)
	}
	// The holder is frozen first: it would arm another reaper, and take the mount away.
	for _, one := range []struct {
		pid int
		sig unix.Signal
	}{
		{rec.Holder.PID, unix.SIGSTOP}, {reaper(t, state), unix.SIGKILL}, {rec.Undo.Served.PID, unix.SIGKILL}, {rec.Holder.PID, unix.SIGKILL},
	} {
		if err := unix.Kill(one.pid, one.sig); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		_, err := os.ReadFile(filepath.Join(dir, "file"))
		if errors.Is(err, unix.ENOTCONN) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("all are dead, and reading gives %v: this test tests nothing", err)
		}
	}
	ended, err := hold.Sweep(t.Context(), file.Kinds(), state)
	if err != nil || len(ended) > 1 || len(ended) == 1 && ended[0].State != fault.Reverted {
		t.Errorf("sweep: %+v, %v", ended, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "file")); string(b) != "kept" || isMount(dir) {
		t.Errorf("afterwards: %q, %v", b, err)
	}
}

// reaper is the process that watches over the faults in this directory.
func reaper(t *testing.T, state string) int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var pid int
		if _, err := fmt.Sscan(line, &pid); err == nil && strings.Contains(line, " reap "+state+" ") {
			return pid
		}
	}
	t.Fatal("no reaper")
	return 0
}

// TestWithoutRights is refused before anything is tried.
func TestWithoutRights(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root there is nothing to refuse")
		return
	}
	err := plan(t, object{"file": object{"slow": object{"path": t.TempDir(), "delay": "1s"}}})
	if err == nil || err.Error() != "a file system can be mounted only with CAP_SYS_ADMIN: run as root" {
		t.Errorf("plan: %v", err)
	}
}
