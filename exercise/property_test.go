package exercise_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/exercisetest"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/measure"
)

// drawPlan makes a random plan: any mode, any steps with any jumps.
func drawPlan(t *rapid.T) exercise.Plan {
	mode := rapid.SampledFrom([]string{"guided", "assisted", "automatic"}).Draw(t, "mode")
	by := rapid.SampledFrom([]string{"procedure", "platform", "reversal"}).Draw(t, "recovers by")
	b := exercisetest.Block{Command: "plan " + mode + " recovers_by=" + by}
	if rapid.Bool().Draw(t, "rpo") {
		b.Command += " rpo=1m"
	}
	for _, word := range []string{"two", "canary", "notice=bob"} {
		if rapid.Bool().Draw(t, word) {
			b.Command += " " + word
		}
	}
	for _, procedure := range []string{"recovery", "test", "resume", "backout"} {
		n := rapid.IntRange(0, 4).Draw(t, procedure)
		for i := range n {
			kind := rapid.SampledFrom([]string{"run", "manual", "check", "ask", "approve", "wait", "notify"}).Draw(t, "kind")
			line := fmt.Sprintf("%s%d %s %s", procedure, i, procedure, kind)
			for _, word := range []string{
				"optional", "if=http", "expect=http", "no_return", "retry=2", "failed=next", "ok=resume", "capture=v", "argv=a,<v>",
				"repeat=safe", "repeat=check", "repeat=never", fmt.Sprintf("ok=%s%d", procedure, i+1),
				"option=a:next", "option=b:resume:tcp", "option=c:stop",
			} {
				if rapid.IntRange(0, 3).Draw(t, word) == 0 {
					line += " " + word
				}
			}
			b.Input = append(b.Input, line)
		}
	}
	p, err := exercisetest.Plan(b)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return p
}

// drawEvent makes an event: most often one that fits, now and then anything at all.
func drawEvent(t *rapid.T, s exercise.State, now time.Duration) exercise.Event {
	e := exercise.Event{At: now}
	roll := rapid.IntRange(0, 19).Draw(t, "what")
	switch {
	case s.Phase == "" && roll < 18:
		e.Kind = exercise.Started
	case roll < 11 && len(s.Open) > 0:
		o := rapid.SampledFrom(s.Open).Draw(t, "open")
		e.Command = o.Command.ID
		e.Kind = rapid.SampledFrom([]exercise.EventKind{
			exercise.CommandDone, exercise.CommandDone, exercise.CommandDone, exercise.CommandStarted, exercise.CommandFailed,
			exercise.CommandSkipped, exercise.CommandUnknown,
		}).Draw(t, "answer")
		e.By = rapid.SampledFrom([]string{"", "alice", "bob"}).Draw(t, "by")
		e.Choice = rapid.SampledFrom([]string{"", "a", "b", "c", "again", "run", "nonsense"}).Draw(t, "choice")
		holds := rapid.Bool().Draw(t, "holds")
		e.Holds = &holds
		if rapid.Bool().Draw(t, "captured") {
			e.Captures = []exercise.Captured{{Name: "v", Value: "1"}}
		}
		e.Fault = drawFault(t)
		e.Measured = &exercise.Measured{Seen: rapid.Bool().Draw(t, "seen"), Censored: rapid.Bool().Draw(t, "censored"), Upper: time.Second}
		if e.Measured.Seen && rapid.IntRange(0, 3).Draw(t, "relapse") == 0 {
			e.Measured.Relapses, e.Measured.RelapseUpper = 1, 2*time.Minute
			e.Measured.RelapseCensored = rapid.Bool().Draw(t, "relapse goes on")
		}
		if rapid.Bool().Draw(t, "loss") {
			e.Measured.Loss = &exercise.Loss{Acked: 1}
		}
		if rapid.Bool().Draw(t, "baseline") {
			e.Baseline = &exercise.SteadyState{Probes: 3, Failed: rapid.IntRange(0, 3).Draw(t, "failed")}
		}
	case roll < 16:
		e.Kind = rapid.SampledFrom([]exercise.EventKind{exercise.Down, exercise.Up, exercise.Steady}).Draw(t, "edge")
		e.Target = rapid.SampledFrom([]string{"api/books", "cdn/status", "nobody"}).Draw(t, "target")
	case roll == 16:
		e.Kind, e.Fault = exercise.FaultEnded, drawFault(t)
	case roll == 17:
		e.Kind = rapid.SampledFrom([]exercise.EventKind{exercise.Noted, exercise.Deviation, exercise.Resumed}).Draw(t, "remark")
		e.ID, e.Text = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "id"), "text"
	case roll == 18:
		e.Kind, e.By = exercise.Stopped, "bob"
	default:
		e.Kind = rapid.SampledFrom([]exercise.EventKind{exercise.Started, exercise.CommandDone, "nonsense", ""}).Draw(t, "odd")
		e.Command = "nothing#1#1"
	}
	return e
}

func drawFault(t *rapid.T) *fault.Status {
	return &fault.Status{
		Class: rapid.SampledFrom([]fault.Class{fault.OneShot, fault.Restore, fault.SelfEnding}).Draw(t, "class"),
		State: rapid.SampledFrom([]fault.State{fault.Held, fault.Reverted, fault.Ended, fault.Superseded, fault.Failed}).Draw(t, "state"),
	}
}

func encoded(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(b)
}

// TestAnyHistory throws random histories at the machine and looks at what must hold in every one of them.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		s := exercise.New(p)
		var events []exercise.Event
		seen := map[string]bool{}
		now := time.Duration(0)
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			now += time.Duration(rapid.IntRange(0, 5000).Draw(t, "later")) * time.Millisecond
			e := drawEvent(t, s, now)
			before := encoded(t, s)
			next, commands, changed := exercise.Apply(s, e)
			if encoded(t, s) != before {
				t.Fatalf("the state that was given was changed by %v", e)
			}
			if !changed && (encoded(t, next) != before || len(commands) > 0) {
				t.Fatalf("%v changed nothing and yet it did", e)
			}
			if s.Closed() && changed {
				t.Fatalf("%v changed a closed exercise", e)
			}
			for _, c := range commands {
				if seen[c.ID] {
					t.Fatalf("command %s was given out twice", c.ID)
				}
				seen[c.ID] = true
			}
			if again, more, changed := exercise.Apply(next, e); changed {
				t.Fatalf("%v changed something the second time: %v\n%s\n%s", e, more, encoded(t, next), encoded(t, again))
			}
			events = append(events, e)
			s = next
			invariants(t, s)
		}
		replayed := exercise.New(p)
		for _, e := range events {
			replayed, _ = exercise.Step(replayed, e)
		}
		if encoded(t, replayed) != encoded(t, s) {
			t.Fatal("a replay gives another state")
		}
	})
}

// invariants hold in every state.
func invariants(t *rapid.T, s exercise.State) {
	r := exercise.Build(s, s.Plan.Planned, s.Plan.Planned)
	if s.Closed() && len(s.Open) > 0 {
		t.Fatalf("the exercise is closed and %d commands are open", len(s.Open))
	}
	if !s.Closed() && s.Phase != "" && len(s.Open) == 0 {
		t.Fatalf("nothing is going on in phase %s, and nothing will end it", s.Phase)
	}
	if s.Closed() && s.Fault.Asked && !s.Fault.Ended {
		t.Fatal("the exercise is closed and its fault was never ended")
	}
	if r.Verdict == exercise.Pass && (len(r.Deviations) > 0 || s.Stop != nil || !s.Fault.Confirmed || s.Fault.Error != "" || r.Procedure != exercise.Followed) {
		t.Fatalf("it passes, and it must not: %s", encoded(t, r))
	}
	if (r.RPO == exercise.NotStated) != (s.Plan.RPO == 0) || r.RPO == measure.Met && r.Loss == nil {
		t.Fatalf("the RPO is %q without reason: %s", r.RPO, encoded(t, r))
	}
	if r.Verdict == exercise.Pass && (r.Relapses > 0 || r.RPO != measure.Met && r.RPO != exercise.NotStated) {
		t.Fatalf("it passes with a relapse that outlasts the RTO, or an RPO that is not met: %s", encoded(t, r))
	}
	v := exercise.Show(s, s.Now)
	if v.Elapsed < 0 || v.Down && !s.Fault.Asked || v.Elapsed > s.Now {
		t.Fatalf("the view says down for %s", v.Elapsed)
	}
}

// TestReplaysAreEqual runs each script's events a hundred times.
func TestReplaysAreEqual(t *testing.T) {
	text := "plan automatic\na recovery run\nb test check\n----\n"
	o, err := exercisetest.Run(text)
	if err != nil {
		t.Fatal(err)
	}
	events := exercisetest.Prelude("restore")
	var want string
	for i := range 100 {
		s := exercise.New(o.Plan)
		for _, e := range events {
			s, _ = exercise.Step(s, e)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = string(b)
		}
		if string(b) != want {
			t.Fatalf("replay %d gives another state", i)
		}
	}
}

// TestAnotherVersionIsNotContinued shows that a state is pinned to its machine and its plan.
func TestAnotherVersionIsNotContinued(t *testing.T) {
	o, err := exercisetest.Run("plan automatic\na recovery run\n----\n")
	if err != nil {
		t.Fatal(err)
	}
	s := exercise.New(o.Plan)
	s.Machine++
	if next, commands, changed := exercise.Apply(s, exercise.Event{Kind: exercise.Started}); changed || len(commands) > 0 || next.Phase != "" {
		t.Error("a state of another version was continued")
	}
	if err := s.Fits(); err == nil {
		t.Error("a state of another version fits")
	}
	s = exercise.New(o.Plan)
	s.Plan.RTO++
	if err := s.Fits(); err == nil {
		t.Error("a state whose plan was changed fits")
	}
}
