package hold

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/internal/clock"
)

// knob is a fault on a value that a plan remembers, so that it can be put back.
type knob struct{ plan func() fault.Plan }

func (k *knob) CheckConfig() map[string]string { return nil }
func (k *knob) Target() fault.Target           { return k }
func (k *knob) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	return k.plan(), nil
}
func (k *knob) Inject(context.Context, json.RawMessage, fault.Save) error { return nil }
func (k *knob) Confirm(context.Context, json.RawMessage) (string, error)  { return "", nil }
func (k *knob) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}
func (k *knob) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }

// planning is a holder about to plan a fault on "the knob", for which plan is called each time that it looks.
func planning(t *testing.T, plan func(s store) string) *holder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "holds")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BELAY_STATE_DIR", dir)
	s := store{dir}
	kinds := fault.Kinds{"knob": func() fault.Config {
		return &knob{func() fault.Plan {
			undo, _ := json.Marshal(plan(s))
			return fault.Plan{Target: "the knob", Class: fault.Restore, Claims: []string{"the knob"}, Undo: undo}
		}}
	}}
	k := keeper{store: s, kinds: kinds, clk: clock.System{}, at: func(string) {}}
	h := &holder{Process: Process{Kinds: kinds}, keeper: k, over: make(chan struct{})}
	h.req = Request{ID: "second", NoPlaybook: "test", Limit: time.Minute, Fault: fault.Spec{Kind: "knob", Config: json.RawMessage(`{}`)}}
	t.Cleanup(func() { h.own.free() })
	return h
}

// first is another fault on the knob, held by this very process.
func first(t *testing.T, s store, id string, p phase) {
	t.Helper()
	me, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	r := &Record{
		Format: format, Phase: p, Fault: fault.Spec{Kind: "knob", Config: json.RawMessage(`{}`)}, Claims: []string{"the knob"}, Holder: me,
		Status: fault.Status{ID: id, Target: "the knob", Since: time.Now()},
	}
	if err := s.write(r); err != nil {
		t.Fatal(err)
	}
}

// TestPlannedDuringAnotherFault makes a plan while another fault has the target, which ends before the new one is written
// down. What the plan saw was that fault, and putting it back would bring the fault back for good.
func TestPlannedDuringAnotherFault(t *testing.T) {
	for name, begins := range map[string]phase{"held before": held, "not there before": ""} {
		t.Run(name, func(t *testing.T) {
			n := 0
			h := planning(t, func(s store) string {
				n++
				if n == 1 {
					first(t, s, "first", settled)
					return "as the first fault left it"
				}
				return "healthy"
			})
			if begins != "" {
				first(t, h.store, "first", begins)
			}
			if err := h.prepare(); err != nil {
				t.Fatal(err)
			}
			if n != 2 || string(h.rec.Undo) != `"healthy"` {
				t.Errorf("%d plans, and the undo is %s, want that of a second plan", n, h.rec.Undo)
			}
		})
	}
}

// TestAlwaysAnotherFault gives up when it never sees the target alone, and an older fault is no reason to plan again.
func TestAlwaysAnotherFault(t *testing.T) {
	n := 0
	h := planning(t, func(s store) string {
		n++
		first(t, s, "other"+strconv.Itoa(n), settled)
		return ""
	})
	first(t, h.store, "old", settled)
	err := h.prepare()
	want := "refused: it was planned while another fault ended: the fault other4 (the knob) had the knob: try again"
	if !errors.Is(err, ErrRefused) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := h.read("second"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a record of the refused fault: %v", err)
	}
}

// TestSaveOnTheWayBack keeps in memory what a revert cannot write any more, and refuses to go on with an injection then.
func TestSaveOnTheWayBack(t *testing.T) {
	k := keeper{store: store{filepath.Join(t.TempDir(), "gone")}, clk: clock.System{}, at: func(string) {}}
	r := &Record{Status: fault.Status{ID: "f1"}}
	if err := k.undoSaver(r, reverting)(json.RawMessage(`1`)); err != nil || string(r.Undo) != "1" {
		t.Errorf("while reverting: %v, undo %s", err, r.Undo)
	}
	if err := k.undoSaver(r, injecting)(json.RawMessage(`2`)); err == nil {
		t.Error("an injection goes on without its undo on disk")
	}
}
