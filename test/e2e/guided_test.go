package e2e

import (
	"strings"
	"testing"
	"time"

	machine "github.com/belay-dr/belay/exercise"
)

// A person does something that is not written and says so: the exercise does not pass, and says what to do about it.
func TestDeviation(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "api-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir)
	j := openJournal(w)
	j.reach(machine.Detected)
	run.say("deviation restarted the router, which no step says")
	answerAll(run)
	run.wait(time.Minute, 3)
	id, _ := j.latest()
	e := decode[exercise](w, w.ok("exercise", "show", id, "--dir", w.dir, "--json"))
	if e.Verdict == "PASS" || e.Procedure != "deviated" {
		t.Errorf("verdict %s, procedure %s", e.Verdict, e.Procedure)
	}
	if len(e.Deviations) != 1 || !strings.Contains(e.Deviations[0], "restarted the router") {
		t.Errorf("deviations %q", e.Deviations)
	}
	if said := e.Why + run.output().stdout; !strings.Contains(said, "playbook needs an update") {
		t.Errorf("does not say that the playbook needs an update: %q", said)
	}
}

// answerAll lets Belay carry out every step that it asks about, until the exercise has ended.
func answerAll(run *process) {
	for {
		select {
		case <-run.done:
			return
		case <-time.After(300 * time.Millisecond):
			_, err := run.in.Write([]byte("run\n"))
			if err != nil {
				return
			}
		}
	}
}

// STOP in the middle of an outage: nobody knows how long it would have lasted.
func TestStop(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "guided", "--as", "bob", "--dir", w.dir)
	j := openJournal(w)
	j.reach(machine.Detected)
	time.Sleep(time.Second) // the outage must be long enough to have a lower bound
	run.say("stop")
	run.wait(30*time.Second, 3)
	if left := w.held(); len(left) != 0 {
		t.Errorf("held after STOP: %v", left)
	}
	list := decode[struct{ Exercises []exercise }](w, w.ok("exercise", "list", "--json", "--dir", w.dir))
	if len(list.Exercises) != 1 {
		t.Fatalf("%d exercises are listed, want 1", len(list.Exercises))
	}
	e := list.Exercises[0]
	if e.Verdict != "FAIL" && e.Verdict != "INCONCLUSIVE" {
		t.Errorf("verdict %s (%s)", e.Verdict, e.Why)
	}
	if len(e.OutageMS) != 2 || e.OutageMS[0] == nil || *e.OutageMS[0] <= 0 || e.OutageMS[1] != nil {
		t.Errorf("outage is not [x, null], although it had not ended:\n%s", w.ok("exercise", "show", e.ID, "--json", "--dir", w.dir))
	}
}

// An interrupt is a STOP as well, and leaves nothing behind.
func TestInterrupt(t *testing.T) {
	w := newShop(t)
	run := w.start("exercise", "run", "cdn-failure", "--env", "staging", "--mode", "automatic", "--dir", w.dir, "--json")
	j := openJournal(w)
	j.reach(machine.Faulted)
	interrupt(t, run)
	run.wait(30*time.Second, 3)
	if left := w.held(); len(left) != 0 {
		t.Errorf("held after an interrupt: %v", left)
	}
	w.ok("evidence", "verify", "--dir", w.dir)
}
