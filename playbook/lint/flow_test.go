package lint

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/playbook"
)

// TestFlowAgreesWithEveryPath walks every path through random procedures one by one. The flow analysis must report the same
// uses of a value that is not set, and the same steps that no path reaches.
func TestFlowAgreesWithEveryPath(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(rt, "steps")
		jump := func(what string, i int) playbook.Jump {
			return rapid.SampledFrom([]playbook.Jump{
				"", playbook.Next, playbook.ToResume, playbook.Stop,
				playbook.Jump(fmt.Sprint("s", rapid.IntRange(i+1, n).Draw(rt, what+" to"))),
			}).Draw(rt, what)
		}
		var steps []playbook.Step
		for i := range n {
			s := playbook.Step{ID: fmt.Sprint("s", i), Expect: web()}
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				s = capturing(s)
				s.ID = fmt.Sprint("s", i)
			case 1:
				s = using(s.ID)
			case 2:
				s.Ask = "which?"
				for o := range rapid.IntRange(1, 3).Draw(rt, "options") {
					s.Options = append(s.Options, row(fmt.Sprint("o", o), playbook.Option{Goto: jump("option", i)}))
				}
			default:
				s.Manual = "look"
			}
			s.Optional = rapid.Bool().Draw(rt, "optional")
			s.Then = playbook.Then{OK: jump("ok", i), Failed: jump("failed", i)}
			steps = append(steps, s)
		}
		// A capture somewhere makes ${instance} the name of a captured value.
		steps = append(steps, func() playbook.Step { s := capturing(playbook.Step{}); s.ID = "last"; return s }())

		reachedBy := make([]bool, len(steps))
		unset := map[string]bool{}
		var walk func(i int, set bool)
		walk = func(i int, set bool) {
			if i < 0 {
				return
			}
			reachedBy[i] = true
			if len(steps[i].Run) > 0 && steps[i].Run[0] == "connect" && !set {
				unset[fmt.Sprintf("scenarios.api-failure.recovery[%d].run[1]", i)] = true
			}
			for _, e := range edges(steps, i) {
				walk(e.to, set || e.done && len(steps[i].Capture) > 0)
			}
		}
		walk(0, false)

		pb := clean()
		recovery(pb, steps...)
		found, dead := map[string]bool{}, make([]bool, len(steps))
		for _, f := range Check(pb) {
			switch f.ID {
			case "L303":
				found[f.Path] = true
			case "L304":
				for i := range steps {
					if f.Path == fmt.Sprintf("scenarios.api-failure.recovery[%d]", i) {
						dead[i] = true
					}
				}
			}
		}
		if !reflect.DeepEqual(found, unset) {
			rt.Fatalf("reported %v, and the paths show %v", found, unset)
		}
		for i := range steps {
			if dead[i] == reachedBy[i] {
				rt.Fatalf("step %d: reported as never reached %v, reached %v", i, dead[i], reachedBy[i])
			}
		}
	})
}

// TestFlowOfOneStep keeps the walk above honest: it uses the same edges, so these are written out.
func TestFlowOfOneStep(t *testing.T) {
	steps := []playbook.Step{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	tests := []struct {
		name string
		step playbook.Step
		want []edge
	}{
		{"goes on", playbook.Step{ID: "a"}, []edge{{1, true}}},
		{"jumps", playbook.Step{ID: "a", Then: playbook.Then{OK: "c", Failed: "next"}}, []edge{{2, true}, {1, false}}},
		{"ends", playbook.Step{ID: "a", Then: playbook.Then{OK: "resume", Failed: "stop"}}, []edge{{toEnd, true}, {toStop, false}}},
		{"may be skipped", playbook.Step{ID: "a", Optional: true, Then: playbook.Then{OK: "c"}}, []edge{{2, true}, {1, false}}},
		{
			"decides",
			playbook.Step{ID: "a", Ask: "?", Then: playbook.Then{OK: "c"}, Options: playbook.Table[playbook.Option]{row("x", playbook.Option{Goto: "c"}), row("y", playbook.Option{})}},
			[]edge{{2, true}, {1, true}},
		},
		{"jumps to nowhere", playbook.Step{ID: "a", Then: playbook.Then{OK: "zzz"}}, []edge{{toStop, true}}},
	}
	for _, tt := range tests {
		steps[0] = tt.step
		if got := edges(steps, 0); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("a step that %s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := edges(steps, 2); !reflect.DeepEqual(got, []edge{{toEnd, true}}) {
		t.Errorf("the last step: %v", got)
	}
}
