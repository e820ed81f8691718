package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
)

// waitForPhase is how long an exercise may take to come to any phase.
const waitForPhase = time.Minute

// phases are those in which a runner can be killed; "closed" is its end.
func phases() []machine.Phase {
	return []machine.Phase{
		machine.Cleared, machine.Baseline, machine.Faulted, machine.Detected, machine.Declared, machine.Recovering,
		machine.Testing, machine.Stable, machine.Reverted, machine.Resuming,
	}
}

// The runner is killed with kill -9 in each phase: every held fault is gone within a second without anyone's help,
// the exercise can be resumed or says why not, and the evidence verifies.
func TestRunnerKilled(t *testing.T) {
	for _, phase := range phases() {
		t.Run(string(phase), func(t *testing.T) {
			for range times(1, 30) {
				killRunner(t, phase, "cdn-failure")
			}
		})
	}
}

func killRunner(t *testing.T, phase machine.Phase, scenario string) {
	w := newShop(t)
	run := w.start("exercise", "run", scenario, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	j := openJournal(w)
	id, in := j.reach(phase)
	run.kill()
	<-run.done
	killed := time.Now()
	took := w.until(time.Second, "every held fault is gone", func() bool { return len(w.held()) == 0 })
	t.Logf("killed in %s (wanted %s), faults gone after %v", in, phase, took)
	if back := filepath.Join(w.dir, "bucket", "static", "status.json"); scenario == "cdn-failure" && in != machine.Recovering {
		if _, err := os.Stat(back); err != nil {
			t.Errorf("the file is not back: %v", err)
		}
	}

	o := w.try(2*time.Minute, "exercise", "resume", id, "--dir", w.dir, "--json")
	switch o.code {
	case 0, 3:
		e := decode[exercise](w, o)
		if !slices.Contains([]string{"PASS", "FAIL", "INCONCLUSIVE", "INVALID"}, e.Verdict) || e.Why == "" {
			t.Errorf("resumed to verdict %q, why %q", e.Verdict, e.Why)
		}
		if (o.code == 0) != (e.Verdict == "PASS") {
			t.Errorf("exit code %d with verdict %s", o.code, e.Verdict)
		}
		t.Logf("resumed: %s, %s", e.Verdict, e.Why)
	default:
		if !strings.Contains(o.stderr, "belay: error: ") {
			t.Errorf("does not say why it cannot resume:\n%s", o)
		}
		t.Errorf("resume: exit code %d after %v\n%s", o.code, time.Since(killed), o)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
	if list := decode[struct{ Exercises []exercise }](w, w.ok("exercise", "list", "--json", "--dir", w.dir)); len(list.Exercises) != 1 {
		t.Errorf("%d exercises are listed, want 1", len(list.Exercises))
	}
}

// held are the faults that are not over, seen without starting belay, which would sweep them.
func (w *world) held() []string {
	w.t.Helper()
	list, err := hold.List(w.state)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
	var ids []string
	for _, f := range list {
		switch f.State {
		case fault.Planned, fault.Armed, fault.Held, fault.Failed:
			ids = append(ids, f.ID)
		}
	}
	return ids
}

// pids are the processes started from the test's binary with this word among their arguments, and this world's state
// directory in their environment.
func (w *world) pids(word string) []int {
	w.t.Helper()
	entries, err := os.ReadDir("/proc")
	must(w.t, err)
	var pids []int
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil {
			continue
		}
		exe, _ := os.Readlink(filepath.Join("/proc", e.Name(), "exe"))
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if exe == binary && strings.Contains(string(cmdline), word) &&
			strings.Contains(string(environ), "BELAY_STATE_DIR="+w.state+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// The holder is killed: its reaper ends the fault. Holder and reaper and runner are killed at once: the next command
// that touches faults sweeps it.
func TestHolderKilled(t *testing.T) {
	w := newShop(t)
	bucket := filepath.Join(w.dir, "bucket")
	// Guided, so that nobody recovers meanwhile: the fault is held until it is killed.
	run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir)
	j := openJournal(w)
	j.reach(machine.Detected)
	holders := w.pids("hold-internal")
	if len(holders) < 2 {
		t.Fatalf("processes %v, want a holder and a reaper", holders)
	}
	// The holder is the older of them; kill it alone.
	must(t, syscall.Kill(slices.Min(holders), syscall.SIGKILL))
	w.until(time.Second, "the reaper has ended the fault", func() bool {
		_, err := os.Stat(filepath.Join(bucket, "static", "status.json"))
		return err == nil && len(w.held()) == 0
	})
	run.kill()
	<-run.done
}

func TestEverybodyKilled(t *testing.T) {
	w := newShop(t)
	status := filepath.Join(w.dir, "bucket", "static", "status.json")
	run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir)
	j := openJournal(w)
	j.reach(machine.Detected)
	all := append(w.pids("hold-internal"), run.cmd.Process.Pid)
	if len(all) < 3 {
		t.Fatalf("processes %v, want a runner, a holder and a reaper", all)
	}
	// Stopped first, so that none of them sees another die.
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, pid := range all {
			must(t, syscall.Kill(pid, signal))
		}
	}
	<-run.done
	time.Sleep(200 * time.Millisecond)
	if _, err := os.Stat(status); err == nil || len(w.held()) != 1 {
		t.Fatalf("somebody reverted the fault although nobody lives (%v, %v): the test tests nothing", err, w.held())
	}
	w.ok("fault", "sweep")
	if _, err := os.Stat(status); err != nil {
		t.Errorf("not swept: %v", err)
	}
	if left := w.held(); len(left) != 0 {
		t.Errorf("held: %v", left)
	}
}

// The database scenario restores a snapshot where the fault had taken the file away. A late revert must not put the old
// file over it: it is superseded, shown and left alone.
func TestRestoreIsNotOverwritten(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "database-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	j := openJournal(w)
	j.reach(machine.Testing)
	restored := inode(t, filepath.Join(w.dir, "data"))
	run.kill()
	<-run.done
	w.until(time.Second, "every held fault is gone", func() bool { return len(w.held()) == 0 })
	if now := inode(t, filepath.Join(w.dir, "data")); now != restored {
		t.Errorf("the restored data directory was replaced")
	}
	id, _ := j.latest()
	o := w.try(2*time.Minute, "exercise", "resume", id, "--dir", w.dir, "--json")
	if e := decode[exercise](w, o); e.Fault.State != "superseded" || len(e.Fault.Superseded) == 0 {
		t.Errorf("fault is %s, superseded %q", e.Fault.State, e.Fault.Superseded)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return uint64(info.Sys().(*syscall.Stat_t).Ino)
}
