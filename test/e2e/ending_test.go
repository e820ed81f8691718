package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault/hold"
)

// Ctrl-C, a polite kill and a closed terminal end an exercise safely: it is measured and closed, and its fault is gone.
func TestRunnerIsAskedToEnd(t *testing.T) {
	// Under nohup, hang up is ignored by us and so by what we start. A handler of our own is not inherited.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for name, signal := range map[string]syscall.Signal{"interrupt": syscall.SIGINT, "terminate": syscall.SIGTERM, "hang up": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			w := newShop(t)
			run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir, "--json")
			j := openJournal(w)
			j.reach(machine.Detected)
			must(t, run.cmd.Process.Signal(signal))
			e := decode[exercise](w, run.wait(30*time.Second, 3))
			if !slices.Contains([]string{"INCONCLUSIVE", "FAIL"}, e.Verdict) || !strings.Contains(e.Why, "stopped") {
				t.Errorf("verdict %s, why %q", e.Verdict, e.Why)
			}
			w.nothingLeft()
		})
	}
}

// nothingLeft fails unless no fault is held, the CDN's file is back, and the evidence verifies.
func (w *world) nothingLeft() {
	w.t.Helper()
	if left := w.held(); len(left) > 0 {
		w.t.Errorf("held: %v", left)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "bucket", "static", "status.json")); err != nil {
		w.t.Errorf("the file is not back: %v", err)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
}

// A reader that goes away, as in `belay exercise run ... | head`, must not end the exercise without a closing record.
func TestNobodyReads(t *testing.T) {
	w := newShop(t)
	r, pipe, err := os.Pipe()
	must(t, err)
	cmd := exec.Command(binary, "exercise", "run", "cdn-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, pipe, pipe
	must(t, cmd.Start())
	pipe.Close()
	r.Close()
	_ = cmd.Wait()
	list := decode[struct{ Exercises []exercise }](w, w.ok("exercise", "list", "--json", "--dir", w.dir))
	if n := len(list.Exercises); n == 0 || list.Exercises[n-1].Verdict == "" {
		t.Errorf("exercises: %+v", list.Exercises)
	}
	w.nothingLeft()
}

// `belay halt` in another terminal: the exercise sees that its fault has ended, and ends as one that proves nothing.
func TestHaltDuringExercise(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir, "--json")
	j := openJournal(w)
	j.reach(machine.Detected)
	w.ok("halt")
	e := decode[exercise](w, run.wait(30*time.Second, 3))
	if e.Verdict != "INVALID" || !strings.Contains(e.Why, "halt") {
		t.Errorf("verdict %s, why %q", e.Verdict, e.Why)
	}
	w.nothingLeft()
}

// Someone without a home directory has a place for undo records too.
func TestNoHome(t *testing.T) {
	w := newWorld(t)
	w.env = slices.DeleteFunc(w.env, func(v string) bool {
		return strings.HasPrefix(v, "HOME=") || strings.HasPrefix(v, "BELAY_STATE_DIR=") || strings.HasPrefix(v, "XDG_")
	})
	if o := w.try(time.Minute, "fault", "list"); o.code != 0 {
		t.Errorf("%s", o)
	}
	w.env = append(w.env, "HOME=/nonexistent")
	if o := w.try(time.Minute, "fault", "list"); o.code != 0 {
		t.Errorf("%s", o)
	}
}

// No process but the runner and the holder has the holder's input open, and none but the holder its lock: a service that a step
// restarted lives on, and must not keep the fault alive.
func TestNothingIsInherited(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "database-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	j := openJournal(w)
	j.reach(machine.Testing) // the database was started again by a step
	w.nothingInherited(run)
	run.kill()
	<-run.done
	w.until(time.Second, "every held fault is gone", func() bool { return len(w.held()) == 0 })
}

// nothingInherited fails when a process other than the runner, its holder, its reaper and its workers has one of their pipes, their sockets
// or their files open.
func (w *world) nothingInherited(run *process) {
	w.t.Helper()
	holding := w.pids(holder)
	if len(holding) < 2 {
		w.t.Fatalf("processes %v, want a holder and a reaper", holding)
	}
	// What our own caller left open is everybody's, and not the holder's.
	everybodys := openFiles(os.Getpid())
	theirs := map[string]int{}
	for _, pid := range holding {
		for _, to := range openFiles(pid) {
			own := strings.HasPrefix(to, "pipe:") || strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, w.state+"/")
			if own && !slices.Contains(everybodys, to) {
				theirs[to] = pid
			}
		}
	}
	if len(theirs) < 2 {
		w.t.Fatalf("the holder has only %v open, want its input and its lock at least", theirs)
	}
	ours := append(holding, run.cmd.Process.Pid)
	for _, pid := range allPIDs(w.t) {
		for _, to := range openFiles(pid) {
			if owner, ok := theirs[to]; ok && !slices.Contains(ours, pid) {
				line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				w.t.Errorf("process %d (%q) has %s of process %d open", pid, line, to, owner)
			}
		}
	}
}

func openFiles(pid int) []string {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	var files []string
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil {
			files = append(files, to)
		}
	}
	return files
}

func allPIDs(t *testing.T) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var pids []int
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Production needs the approval of somebody else. Without it nothing is broken, and the reason is the only one given.
func TestProductionNeedsApproval(t *testing.T) {
	w := newShop(t)
	path := filepath.Join(w.dir, "belay.yaml")
	b, err := os.ReadFile(path)
	must(t, err)
	changed := strings.Replace(string(b), "kind: non-production", "kind: production", 1)
	if changed == string(b) {
		t.Fatal("the playbook has no non-production environment to change")
	}
	must(t, os.WriteFile(path, []byte(changed), 0o600))
	o := w.want(3, "exercise", "run", "cdn-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir)
	if !strings.Contains(o.stderr, "0 of 1 approvals by people other than the runner") {
		t.Errorf("the reason is not given:\n%s", o)
	}
	if all, err := hold.List(w.state); err != nil || len(all) > 0 {
		t.Errorf("faults were made: %v, %v", all, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "bucket", "static", "status.json")); err != nil {
		t.Errorf("the file is gone: %v", err)
	}
}
