package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
)

// TestPauseOfManyThreads pauses a process whose threads come and go all the time: none of them runs on, and all do after.
func TestPauseOfManyThreads(t *testing.T) {
	pid, count := manyThreads(t)
	target, p, err := plan(t, object{"pause": object{"pid": pid}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Class != fault.SelfEnding || !p.KernelEnds || p.Mechanism != "ptrace" {
		t.Errorf("plan: %+v", p)
	}
	for range 10 {
		undo := p.Undo
		if err := target.Inject(t.Context(), undo, func(u json.RawMessage) error { undo = u; return nil }); err != nil {
			t.Fatal(err)
		}
		seen, err := target.Confirm(t.Context(), undo)
		if err != nil || !strings.Contains(seen, "threads of process") {
			t.Fatalf("confirm: %q, %v", seen, err)
		}
		before := count()
		time.Sleep(50 * time.Millisecond) // the time in which it must not count
		if now := count(); now != before {
			t.Errorf("%d counts by threads that should stand still", now-before)
		}
		if out, err := target.Revert(t.Context(), undo, nil); err != nil || len(out.Superseded) > 0 {
			t.Fatalf("revert: %+v, %v", out, err)
		}
		if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
			t.Fatalf("residue: %v, %v", left, err)
		}
		until(t, "it counts again", func() bool { return count() > before+1000 })
	}
}

// TestPauseKeepsSignals gives a paused process a signal, which arrives when it goes on.
func TestPauseKeepsSignals(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	pid := foreign(t, "sh", "-c", `trap 'echo caught > "$1"' USR1; : > "$1"; while :; do sleep 0.01; done`, "sh", mark)
	until(t, "the trap is set", func() bool { _, err := os.Stat(mark); return err == nil })
	i, err := proc.Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		write(t, mark, "")
		// The signal comes before, while, or after the process is being stopped.
		go func() { _ = syscall.Kill(pid, syscall.SIGUSR1) }()
		h, err := trace.Seize(t.Context(), i.Process)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, "the signal has arrived", func() bool { b, _ := os.ReadFile(mark); return string(b) == "caught\n" })
	}
}

// TestKilledWhilePaused ends a paused process at once, and its parent hears of it.
func TestKilledWhilePaused(t *testing.T) {
	dir := t.TempDir()
	_, _ = exec.Command("sh", "-c", `(sleep 600 & echo $! > "$1/pid"; wait; echo > "$1/ended") >/dev/null 2>&1 &`, "sh", dir).Output()
	pid := 0
	until(t, "it runs", func() bool {
		b, _ := os.ReadFile(dir + "/pid")
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid > 0
	})
	i, err := proc.Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	h, err := trace.Seize(t.Context(), i.Process)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release(context.Background())
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "its parent knows", func() bool { _, err := os.Stat(dir + "/ended"); return err == nil })
}

// TestTracedAlready refuses a process that a debugger has, and takes SIGSTOP where that is allowed.
func TestTracedAlready(t *testing.T) {
	i, err := proc.Look(foreign(t, "sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := trace.Seize(t.Context(), i.Process)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release(context.Background())
	_, _, err = plan(t, object{"pause": object{"pid": i.PID}})
	if want := fmt.Sprintf("process %d (sleep) is stopped or traced already: `belay fault list` shows whether a fault holds it", i.PID); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := trace.Permitted(i.Process); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("traced by process %d already", h.Thread())) {
		t.Errorf("permitted: %v", err)
	}
}

// TestPauseWithoutPermission asks as nobody for a process of root: that is refused before it is asked. A process of our
// own that may not be traced is paused by SIGSTOP, if that was allowed.
func TestPauseWithoutPermission(t *testing.T) {
	cmd := run(t, "sleep", "600")
	undo := []byte(fmt.Sprintf(`{"victims": [%s], "signal": true}`, processJSON(t, cmd.Process.Pid)))
	target, _, err := plan(t, object{"pause": object{"pid": cmd.Process.Pid}, "or_stop": true})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), undo, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "confirmed", func() bool { _, err := target.Confirm(t.Context(), undo); return err == nil })
	if s := state(cmd.Process.Pid); s != proc.Stopped {
		t.Errorf("state %c, want T", s)
	}
	if _, err := target.Revert(t.Context(), undo, nil); err != nil {
		t.Fatal(err)
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
		t.Errorf("residue: %v, %v", left, err)
	}
}

func processJSON(t *testing.T, pid int) string {
	t.Helper()
	i, err := proc.Look(pid)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"pid": %d, "start": %q, "boot": %q}`, i.PID, i.Start, i.Boot)
}

// TestByName kills exactly the process that is called so.
func TestByName(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "belay-process-test-victim") // longer than the kernel's name
	if err := os.WriteFile(exe, b, 0o700); err != nil {
		t.Fatal(err)
	}
	owner := fmt.Sprint(os.Geteuid())
	spec := object{"kill": object{"name": "belay-process-test-victim", "owner": owner}}
	want := func(text string) {
		t.Helper()
		if _, _, err := plan(t, spec); err == nil || err.Error() != text {
			t.Errorf("%v, want %s", err, text)
		}
	}
	want("no process called belay-process-test-victim belongs to " + owner + ": `ps -eo pid,user,comm,args` shows what runs")
	one := run(t, exe, "600")
	two := run(t, exe, "600")
	first, second := min(one.Process.Pid, two.Process.Pid), max(one.Process.Pid, two.Process.Pid)
	until(t, "both run", func() bool {
		_, _, err := plan(t, spec)
		return err != nil && strings.Contains(err.Error(), "names 2 processes")
	})
	want(fmt.Sprintf("name belay-process-test-victim of %s names 2 processes and max is 1: choose fewer, or raise max: %d (belay-process-t), %d (belay-process-t)", owner, first, second))
	spec["kill"].(object)["owner"] = "4711"
	want(fmt.Sprintf("no process called belay-process-test-victim belongs to 4711: %d (belay-process-t), %d (belay-process-t) of other users", first, second))
	spec["kill"].(object)["owner"] = "no-such-user"
	want("owner no-such-user: there is no such user: give a name of /etc/passwd or a number")
	spec["kill"] = object{"name": "belay-process-test-victim", "owner": owner, "max": 2}
	target, p, err := plan(t, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), p.Undo, nil); err != nil {
		t.Fatal(err)
	}
	until(t, "confirmed", func() bool { _, err := target.Confirm(t.Context(), p.Undo); return err == nil })
	if state(first) != 0 || state(second) != 0 {
		t.Error("they still run")
	}
}
