package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest/sshtest"
	"github.com/belay-dr/belay/fault/hold"

	machine "github.com/belay-dr/belay/exercise"
)

// newRemote is a Bookstore, and a host that is reached by ssh and runs its API. Nil when there is no server to be had.
func newRemote(t *testing.T) (*world, *sshtest.Server) {
	t.Helper()
	s := sshtest.Start(t)
	if s == nil {
		return nil, nil
	}
	dir := filepath.Join(filepath.Dir(binary), "hold")
	program := filepath.Join(dir, "belay-hold-linux-"+runtime.GOARCH)
	if _, err := os.Stat(program); err != nil {
		command(t, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "github.com/belay-dr/belay/cmd/belay-hold")
	}
	w := newShop(t)
	w.quick()
	w.env = append(w.env, "BELAY_SSH="+s.SSH, "BELAY_HOLD_DIR="+dir)
	return w, s
}

// stopRemote stops the API's process where the host says that it is.
func stopRemote(name, where, by, recovery string) scene {
	return scene{
		name: name, covers: "api", by: by, recovery: recovery,
		fault: `{where: "` + where + `", process: {stop: {pid_file: "${api_pid_file}"}}}`,
	}
}

// A fault on another host, reached by ssh, is practised like any other.
func TestExerciseOverSSH(t *testing.T) {
	w, s := newRemote(t)
	if w == nil {
		return
	}
	for _, c := range []struct {
		scene
		attribution, state string
	}{
		{stopRemote("restarted", s.Where, "procedure", `  - {id: restart-app, use: restart-app}`), "procedure", "superseded"},
		{stopRemote("let-go", s.Where, "reversal", `  - {id: hold-on, text: Wait, wait: 1s}`), "reversal", "reverted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.write(w)
			o := w.want(0, "exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
			e := decode[exercise](w, o)
			if e.Verdict != "PASS" || e.Attribution != c.attribution || e.Fault.State != c.state {
				t.Errorf("verdict %s (%s), attribution %s, fault %+v", e.Verdict, e.Why, e.Attribution, e.Fault)
			}
			t.Logf("outage [%.0f, %.0f] ms, fault %s", *e.OutageMS[0], *e.OutageMS[1], e.Fault.State)
			w.settled()
			noProgramLeft(t, e.ID)
		})
	}
}

// The connection falls silent while the fault is held. It ends there by its lease; the exercise does not pass on that, and nobody
// says that it has ended before the host has said so.
func TestSilenceInExercise(t *testing.T) {
	w, s := newRemote(t)
	if w == nil {
		return
	}
	c := stopRemote("silenced", s.Where, "reversal", `  - {id: hold-on, text: Wait, wait: 2m}`)
	c.write(w)
	pid := readPID(t, filepath.Join(w.dir, "run", "api.pid"))
	run := w.start("exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	w.inPhase(run, c.name, machine.Recovering)
	if got := state(pid); got != "T" {
		t.Fatalf("the fault is held, and the process is in state %s", got)
	}
	back := s.Silence(t)
	t.Cleanup(func() { w.try(time.Minute, "halt") })
	took := w.until(10*time.Second, "the fault ends there by its lease", func() bool { return state(pid) != "T" })
	t.Logf("silence to end of the fault: %s", took.Round(time.Millisecond))

	o := w.try(time.Minute, "halt")
	if o.code != 9 || !strings.Contains(o.stderr+o.stdout, s.Where[len("ssh://"):]) {
		t.Errorf("halt while the host is silent: exit code %d, want 9\n%s", o.code, o)
	}
	t.Logf("%s", o)
	for _, st := range w.records() {
		if st.State == "reverted" || st.State == "ended" {
			t.Errorf("it is called %s, and nobody can have seen that", st.State)
		}
	}
	var e exercise
	o = run.wait(2*time.Minute, 9)
	e = decode[exercise](w, o)
	t.Logf("%s: %s\n%s", e.Verdict, e.Why, o.stderr)
	if e.Verdict == "PASS" {
		t.Errorf("verdict %s (%s)", e.Verdict, e.Why)
	}
	text, again := w.shown(e.ID)
	if again.Fault.State != "failed" || strings.Contains(text, "nothing left behind") || !strings.Contains(text, "not seen to have ended") ||
		!strings.Contains(e.Why, "; the fault was not reverted: ") || strings.Count(o.stderr, "fault not reverted") != 1 {
		t.Errorf("fault %+v, shown as\n%s", again.Fault, text)
	}

	back()
	w.until(20*time.Second, "the host answers again", func() bool { return w.try(time.Minute, "fault", "sweep").code == 0 })
	for _, st := range w.records() {
		if st.State != "reverted" {
			t.Errorf("after the host has answered: %+v", st)
		}
	}
	w.ok("halt")
	w.settled()
	noProgramLeft(t, e.ID)
}

// The connection is silent only for a while, and the service is back before anybody here hears of the end: that is not the
// recovery's doing, although a step of it was at work.
func TestShortSilenceInExercise(t *testing.T) {
	w, s := newRemote(t)
	if w == nil {
		return
	}
	mark, goOn := filepath.Join(w.dir, "at-work"), filepath.Join(w.dir, "go-on")
	c := stopRemote("hushed", s.Where, "procedure", `  - {id: work, text: Do nothing that helps, shell: "touch `+mark+`; until [ -e `+goOn+` ]; do sleep 0.1; done"}`)
	c.write(w)
	pid := readPID(t, filepath.Join(w.dir, "run", "api.pid"))
	run := w.start("exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	w.inPhase(run, c.name, machine.Recovering)
	w.until(waitForPhase, "the step is at work", func() bool { _, err := os.Stat(mark); return err == nil })
	back := s.Silence(t)
	w.until(10*time.Second, "the fault ends there by its lease", func() bool { return state(pid) != "T" })
	j := openJournal(w)
	w.until(10*time.Second, "the service has been seen to be back for a whole window", func() bool {
		_, state := j.latest()
		return !slices.ContainsFunc(state.Targets, func(t machine.Target) bool { return t.Primary && t.State != machine.Steady && t.State != "" }) && state.Phase == machine.Recovering
	})
	back()
	must(t, os.WriteFile(goOn, nil, 0o644))
	e := decode[exercise](w, run.wait(waitForPhase, 3))
	w.checkInvalid(e, "the fault was lost before the recovery (lost)")
	noProgramLeft(t, e.ID)
}

func (w *world) records() []fault.Status {
	w.t.Helper()
	list, err := hold.List(w.state)
	must(w.t, err)
	return list
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	must(t, err)
	return pid
}

// noProgramLeft fails when the program for the fault of an exercise is still on the host.
func noProgramLeft(t *testing.T, exercise string) {
	t.Helper()
	for _, place := range []string{"/run", "/dev/shm", "/tmp", "/var/tmp", "/root"} {
		found, _ := filepath.Glob(filepath.Join(place, "belay-hold-*"+exercise+"*"))
		if len(found) > 0 {
			t.Errorf("left on the host: %v", found)
		}
	}
}
