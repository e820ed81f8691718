package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/fault"
)

// toy is a fault of nothing: it says what it is told to say, and counts.
type toy struct {
	Name  string
	Class fault.Class
	Claim string
	// Fails is the method that fails.
	Fails string

	board *board
}

// board is what all toys of a test write on: which are in force.
type board struct {
	on    map[string]bool
	order []string
	lost  map[string]chan struct{}
}

func (y *toy) CheckConfig() map[string]string { return nil }
func (y *toy) Target() fault.Target           { return y }

func (y *toy) fail(method string) error {
	if y.Fails == method {
		return errors.New(y.Name + " fails")
	}
	return nil
}

func (y *toy) Plan(_ context.Context, ask fault.Ask) (fault.Plan, error) {
	undo, _ := json.Marshal(map[string]string{"id": ask.ID, "step": "planned"})
	return fault.Plan{
		Target: y.Name, Class: y.Class, Fidelity: fault.Process, Changes: []string{"break " + y.Name}, Claims: []string{y.Claim},
		Radius: []string{y.Name}, Mechanism: "toy", KernelEnds: y.Class == fault.SelfEnding, Undo: undo,
	}, y.fail("plan")
}

func (y *toy) Inject(_ context.Context, _ json.RawMessage, save fault.Save) error {
	if err := save(json.RawMessage(fmt.Sprintf("%q", y.Name+" injected"))); err != nil {
		return err
	}
	y.board.on[y.Name] = true
	y.board.order = append(y.board.order, y.Name)
	return y.fail("inject")
}

func (y *toy) Confirm(context.Context, json.RawMessage) (string, error) {
	return y.Name + " is broken", y.fail("confirm")
}

func (y *toy) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	if err := y.fail("revert"); err != nil {
		return fault.Outcome{}, err
	}
	if y.board.on[y.Name] && string(undo) != fmt.Sprintf("%q", y.Name+" injected") {
		return fault.Outcome{}, fmt.Errorf("%s got the undo %s", y.Name, undo)
	}
	return fault.Outcome{Superseded: []string{y.Name}}, nil
}

func (y *toy) Residue(context.Context, json.RawMessage) ([]string, error) {
	return []string{y.Name + " is left"}, y.fail("residue")
}

func (y *toy) Lost() <-chan struct{} { return y.board.lost[y.Name] }

// group decodes a group of toys that write on one board.
func group(t interface{ Fatal(...any) }, b *board, toys ...toy) fault.Target {
	kinds := fault.Kinds{"toy": func() fault.Config { return &toy{board: b} }}
	var specs []fault.Spec
	for _, y := range toys {
		config, err := json.Marshal(map[string]any{"Name": y.Name, "Class": y.Class, "Claim": y.Claim, "Fails": y.Fails})
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, fault.Spec{Kind: "toy", Config: config})
	}
	spec, err := fault.Group(specs)
	if err != nil {
		t.Fatal(err)
	}
	target, err := kinds.Decode(spec)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func newBoard() *board { return &board{on: map[string]bool{}, lost: map[string]chan struct{}{}} }

// TestGroupLife draws groups, one member of which may fail somewhere: what began is known to the undo, and everybody is asked to
// revert whatever the others do.
func TestGroupLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "members")
		failing := rapid.IntRange(0, n).Draw(t, "failing") // n is nobody
		method := rapid.SampledFrom([]string{"inject", "confirm"}).Draw(t, "method")
		b := newBoard()
		var toys []toy
		for i := range n {
			y := toy{Name: fmt.Sprintf("toy%d", i), Claim: fmt.Sprintf("claim%d", i), Class: rapid.SampledFrom([]fault.Class{fault.SelfEnding, fault.Restore, fault.OneShot}).Draw(t, "class")}
			if i == failing {
				y.Fails = method
			}
			toys = append(toys, y)
		}
		g := group(t, b, toys...)
		ctx := context.Background()
		p, err := g.Plan(ctx, fault.Ask{ID: "f1"})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Changes) != n || len(p.Claims) != n || p.Mechanism != "toy" {
			t.Fatalf("plan %+v", p)
		}
		classOf(t, p, toys)
		undo := p.Undo
		save := func(u json.RawMessage) error { undo = slices.Clone(u); return nil }
		err = g.Inject(ctx, undo, save)
		began := n
		if failing < n && method == "inject" {
			began = failing + 1
			if err == nil {
				t.Fatal("a member failed, and the group did not")
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if len(b.order) != began || !slices.IsSorted(b.order) {
			t.Fatalf("began: %v, want the first %d in order", b.order, began)
		}
		if _, err := g.Confirm(ctx, undo); (err != nil) != (failing < n && method == "confirm") {
			t.Fatalf("confirm: %v", err)
		}
		out, err := g.Revert(ctx, undo, save)
		if err != nil || len(out.Superseded) != n {
			t.Fatalf("revert: %+v, %v: everybody must be asked, with the undo saved last", out, err)
		}
		if left, err := g.Residue(ctx, undo); err != nil || len(left) != n {
			t.Fatalf("residue: %v, %v", left, err)
		}
	})
}

func classOf(t *rapid.T, p fault.Plan, toys []toy) {
	count := map[fault.Class]int{}
	for _, y := range toys {
		count[y.Class]++
	}
	want := fault.Restore
	for _, c := range []fault.Class{fault.SelfEnding, fault.OneShot} {
		if count[c] == len(toys) {
			want = c
		}
	}
	if p.Class != want || p.KernelEnds != (count[fault.SelfEnding] == len(toys)) {
		t.Fatalf("class %s, kernel ends %v, of %v", p.Class, p.KernelEnds, count)
	}
}

func TestGroupRefuses(t *testing.T) {
	ctx := t.Context()
	one, two := toy{Name: "a", Claim: "x", Class: fault.Restore}, toy{Name: "b", Claim: "x", Class: fault.Restore}
	if _, err := group(t, newBoard(), one, two).Plan(ctx, fault.Ask{}); err == nil || !strings.Contains(err.Error(), "fault 2 of the group: another one of it has x already") {
		t.Errorf("the same claim twice: %v", err)
	}
	two.Claim, two.Fails = "y", "plan"
	if _, err := group(t, newBoard(), one, two).Plan(ctx, fault.Ask{}); err == nil || err.Error() != "fault 2 of the group: b fails" {
		t.Errorf("a member that refuses: %v", err)
	}
	// One that cannot be taken back does not keep the others.
	two.Fails = "revert"
	b := newBoard()
	g := group(t, b, one, two)
	p, err := g.Plan(ctx, fault.Ask{})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = slices.Clone(u); return nil }
	if err := g.Inject(ctx, undo, save); err != nil {
		t.Fatal(err)
	}
	if out, err := g.Revert(ctx, undo, save); err == nil || !slices.Equal(out.Superseded, []string{"a"}) {
		t.Errorf("revert: %+v, %v", out, err)
	}
	if _, err := g.Revert(ctx, json.RawMessage(`[{}]`), save); err == nil {
		t.Error("an undo for one is taken for an undo for two")
	}
	kinds := fault.Kinds{"toy": func() fault.Config { return &toy{} }}
	for _, bad := range []string{`[]`, `{}`, `[{"all": []}]`, `[{"toy": {"x": 1}}]`, `[{"toy": {}}] []`} {
		if _, err := kinds.Decode(fault.Spec{Kind: "all", Config: json.RawMessage(bad)}); err == nil {
			t.Errorf("the group %s is taken", bad)
		}
	}
}

func TestGroupIsLost(t *testing.T) {
	b := newBoard()
	b.lost["b"] = make(chan struct{})
	g := group(t, b, toy{Name: "a", Claim: "x"}, toy{Name: "b", Claim: "y"})
	lost := g.(fault.Watched).Lost()
	select {
	case <-lost:
		t.Fatal("nobody is lost")
	case <-time.After(10 * time.Millisecond):
	}
	close(b.lost["b"])
	select {
	case <-lost:
	case <-time.After(5 * time.Second):
		t.Fatal("one is lost, and the group does not say so")
	}
}
