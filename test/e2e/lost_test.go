package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
)

// waits is a recovery that only waits, so that nothing but the fault's end brings the service back.
const waits = `  - {id: hold-on, text: Wait, wait: 20s}`

// holder is a part of the command line of holders, of which the first is the oldest of its processes.
const holder = "hold-internal"

// A fault that is lost while it is held proves nothing, whatever held it: the holder, or a process that works for it.
func TestLostFault(t *testing.T) {
	w := newShop(t)
	w.quick()
	dependency := listener(t)
	for _, c := range []struct {
		scene
		killed string // a part of its command line
	}{
		{scene{name: "paused-api", covers: "api", fault: `{process: {pause: {pid_file: "${api_pid_file}"}}}`, recovery: waits}, holder},
		{scene{name: "busy", by: "platform", fault: `{resource: {cpu_pressure: {load: 5%}}}`, recovery: waits}, "hold-internal\x00work"},
		{scene{name: "slow-proxy", by: "platform", fault: fmt.Sprintf("{proxy: {listen: %q, upstream: %q, ping: greeting, delay: 100ms}}", "[::1]:"+portOf(dependency), dependency.Addr()), recovery: waits}, holder},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			c.write(w)
			run := w.start("exercise", "run", c.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
			w.inPhase(run, c.name, machine.Faulted)
			pids := w.pids(c.killed)
			if len(pids) == 0 {
				t.Fatalf("there is no process %q", c.killed)
			}
			must(t, syscall.Kill(slices.Min(pids), syscall.SIGKILL))
			e := decode[exercise](w, run.wait(waitForPhase, 3))
			w.checkInvalid(e, "the fault was lost before the recovery (")
		})
	}
}

// inPhase waits until the running exercise of the scenario has begun the phase.
func (w *world) inPhase(run *process, scenario string, phase machine.Phase) machine.State {
	w.t.Helper()
	var j *journal
	var state machine.State
	w.until(waitForPhase, scenario+" is in "+string(phase), func() bool {
		select {
		case <-run.done:
			w.t.Fatalf("it has ended before %s:\n%s", phase, run.output())
		default:
		}
		if _, err := os.Stat(filepath.Join(w.dir, ".belay", "ledger.db")); err != nil {
			return false
		}
		if j == nil {
			j = openJournal(w)
		}
		_, state = j.latest()
		return state.Plan.Scenario == scenario && slices.ContainsFunc(state.Marks, func(m machine.Mark) bool { return m.Phase == phase })
	})
	return state
}

// What the recovery itself does to the victim is no loss: the procedure brought the service back.
func TestRecoveryReplacesTheVictim(t *testing.T) {
	w := newShop(t)
	w.quick()
	for _, action := range []string{"pause", "stop"} {
		t.Run(action, func(t *testing.T) {
			w.t = t
			s := scene{
				name: action + "-api", covers: "api", fault: `{process: {` + action + `: {pid_file: "${api_pid_file}"}}}`,
				recovery: `  - {id: restart-app, use: restart-app}`,
			}
			s.write(w)
			o := w.try(time.Minute, "exercise", "run", s.name, "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
			e := decode[exercise](w, o)
			t.Logf("%s (%s): fault %s, superseded %q", e.Verdict, e.Why, e.Fault.State, e.Fault.Superseded)
			checkPassed(t, e)
			w.settled()
		})
	}
}

// `belay halt` during an exercise and beside another fault: one is ended by the kernel, the other restored. Both are ended and
// named, and the exercise does not pass.
func TestHaltBothKinds(t *testing.T) {
	w := newShop(t)
	w.quick()
	victim := bystander(t)
	scene{name: "lost-status", fault: `{file: {lost: "${bucket_dir}/static/status.json"}}`, recovery: waits}.write(w)
	byHand := w.start("fault", "hold", "--spec", fmt.Sprintf(`{"process": {"pause": {"pid": %d}}}`, victim.Process.Pid), "--limit", "1m", "--because", "a test")
	w.until(waitForPhase, "the bystander is paused", func() bool { return state(victim.Process.Pid) == "t" })
	o := w.want(3, "exercise", "run", "lost-status", "--env", "staging", "--mode", "automatic", "--dir", w.dir)
	if !strings.Contains(o.stderr, "a fault is held already") && !strings.Contains(o.stderr, "held") {
		t.Errorf("the other fault is not named:\n%s", o)
	}
	w.ok("halt")
	byHand.wait(10*time.Second, 0)

	// Begun the other way round, nothing keeps them apart.
	run := w.start("exercise", "run", "lost-status", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	w.inPhase(run, "lost-status", machine.Recovering)
	byHand = w.start("fault", "hold", "--spec", fmt.Sprintf(`{"process": {"pause": {"pid": %d}}}`, victim.Process.Pid), "--limit", "1m", "--because", "a test")
	w.until(waitForPhase, "the bystander is paused", func() bool { return state(victim.Process.Pid) == "t" })
	halted := decode[faults](w, w.ok("halt", "--json"))
	classes := map[string]string{}
	for _, f := range halted.Faults {
		classes[f.Class] = f.State
	}
	if len(halted.Faults) != 2 || classes["restore"] != "reverted" || classes["self-ending"] != "reverted" {
		t.Errorf("halt ended %+v", halted)
	}
	byHand.wait(10*time.Second, 0)
	if s := state(victim.Process.Pid); s != "S" {
		t.Errorf("the bystander is in state %s", s)
	}
	e := decode[exercise](w, run.wait(30*time.Second, 3))
	w.checkInvalid(e, "lost before the recovery (halt)")
	w.nothingLeft()
}

// state is the kernel's letter for what a process does.
func state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.SplitN(rest+" ", " ", 2)[0]
}

// The host is another one when the fault is to be made, or a step to be carried out: nothing is broken there, nothing run.
func TestIdentityChanges(t *testing.T) {
	if !needs(t, "unshare", "nsenter", "hostname") {
		return
	}
	for name, phase := range map[string]machine.Phase{"fault": machine.Cleared, "step": machine.Detected} {
		t.Run(name, func(t *testing.T) {
			w := newShop(t)
			w.quick()
			mark := filepath.Join(w.dir, "step-was-run")
			w.edit("belay.yaml", "  staging:\n    kind: non-production\n", "  staging:\n    kind: non-production\n    identity: {hostname: belay-here}\n")
			w.edit("belay.yaml", "actions:\n", "actions:\n  leave-mark:\n    text: Leave a mark\n    staging: {run: [touch, "+mark+"]}\n    production: {manual: Leave a mark}\n")
			scene{name: "elsewhere", fault: `{file: {lost: "${bucket_dir}/static/status.json"}}`, recovery: `  - {id: leave-mark, use: leave-mark}`}.write(w)

			// The hostname of a namespace of its own is all that changes.
			w.inside = []string{"unshare", "--uts", "sh", "-c", `hostname belay-here && exec "$@"`, "sh"}
			run, goOn := w.stage(phase, "elsewhere", "automatic")
			w.inside = nil
			command(t, "nsenter", "--uts", "--target", strconv.Itoa(run.cmd.Process.Pid), "hostname", "belay-there")
			goOn()
			e := decode[exercise](w, run.wait(waitForPhase, 3))
			t.Logf("%s: %s", e.Verdict, e.Why)
			if e.Verdict == "PASS" || !strings.Contains(e.Why, `identity.hostname is "belay-there" here, and the playbook says "belay-here"`) {
				t.Errorf("verdict %s, why %q", e.Verdict, e.Why)
			}
			if _, err := os.Stat(mark); err == nil {
				t.Error("the step was run on the other host")
			}
			if name == "fault" {
				w.checkInvalid(e)
				if e.Fault.State != "" {
					t.Errorf("fault: %+v", e.Fault)
				}
			}
			w.settled()
			w.nothingLeft()
		})
	}
}
