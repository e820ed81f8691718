package faulttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
)

// points are where a holder is stopped and killed, in the order in which it passes them.
var points = [...]string{"recorded", "armed", "injecting", "injected", "confirmed", "holding", "reverting", "reverted", "settled"}

// decisive are the points that a quick run tries: before, in and after the injection, and in the revert.
var decisive = [...]string{"armed", "injecting", "injected", "holding", "reverting"}

// gone is how soon a fault is gone after a death, and its record says so. It is the product's promise for what is on this host.
const gone = time.Second

// within is that time for this rig.
func (r Rig) within() time.Duration { return max(gone, r.Within) }

// limit is a short limit that leaves enough time to plan and inject.
func (r Rig) limit(short time.Duration) time.Duration { return max(short, r.Within/4) }

// Run tries one fault in every way. New makes a fresh rig.
func Run(t *testing.T, rig func(t testing.TB) Rig) {
	if os.Getenv(timesVar) != "" {
		t.Run("random kills", func(t *testing.T) { random(t, rig) })
		return
	}
	t.Run("plan changes nothing", func(t *testing.T) { planOnly(t, rig(t)) })
	t.Run("revert twice", func(t *testing.T) { revertTwice(t, rig(t)) })
	t.Run("hold and release", func(t *testing.T) { holdAndRelease(t, rig(t)) })
	t.Run("changed while held", func(t *testing.T) { changed(t, rig(t)) })
	t.Run("removed while held", func(t *testing.T) { removed(t, rig(t)) })
	t.Run("limit", func(t *testing.T) { limit(t, rig) })
	t.Run("limit across a suspend", func(t *testing.T) { suspended(t, rig(t)) })
	t.Run("halt", func(t *testing.T) { halt(t, rig(t)) })
	t.Run("frozen runner", func(t *testing.T) { frozenRunner(t, rig(t)) })
	t.Run("frozen holder", func(t *testing.T) { frozenHolder(t, rig(t)) })
	t.Run("halt a frozen holder", func(t *testing.T) { haltFrozen(t, rig(t)) })
	t.Run("reaper dies first", func(t *testing.T) { reaperFirst(t, rig(t)) })
	t.Run("random kills", func(t *testing.T) { random(t, rig) })
	rounds, at := 1, decisive[:]
	if os.Getenv("BELAY_TORTURE") != "" {
		rounds, at = 2, points[:]
	}
	for n := range rounds {
		for _, point := range at {
			for _, who := range [][]string{{"runner"}, {"holder"}, {"runner", "holder", "reaper"}} {
				t.Run(fmt.Sprintf("kill %v at %s/%d", who, point, n), func(t *testing.T) { kill(t, rig(t), point, who) })
			}
		}
	}
}

// want fails unless the fault is over in the way that its class asks for.
func want(t *testing.T, r Rig, st fault.Status, injected bool) {
	t.Helper()
	switch {
	case r.OneShot && injected:
		if st.State != fault.Ended || !r.Broken() {
			t.Errorf("one-shot fault: state %s, broken %v: nothing should bring the victim back", st.State, r.Broken())
		}
	case r.Broken():
		t.Errorf("the effect is still there, and the state is %s", st.State)
	case st.State != fault.Reverted && (injected || st.State != fault.Failed):
		t.Errorf("state is %s (%s), want reverted", st.State, st.Error)
	}
	if len(st.Residue) > 0 || len(st.Kept) > 0 {
		t.Errorf("left behind: %v %v", st.Residue, st.Kept)
	}
}

func planOnly(t *testing.T, r Rig) {
	target, err := r.Kinds.Decode(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", NoPlaybook: "conformance"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Target == "" || len(p.Changes) == 0 || p.Class == "" || p.Fidelity == "" {
		t.Errorf("the plan is silent: %+v", p)
	}
	if r.Broken() {
		t.Error("a plan broke something")
	}
	if left, err := target.Residue(t.Context(), p.Undo); err != nil || len(left) > 0 {
		t.Errorf("a plan left %v, %v", left, err)
	}
}

func revertTwice(t *testing.T, r Rig) {
	ctx := t.Context()
	target, err := r.Kinds.Decode(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(ctx, fault.Ask{ID: "f1", NoPlaybook: "conformance"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	if err := target.Inject(ctx, undo, save); err != nil {
		t.Fatal(err)
	}
	eventually(t, "confirmed", func() bool { _, err := target.Confirm(ctx, undo); return err == nil })
	if !r.Broken() {
		t.Fatal("confirmed, but the effect is not there")
	}
	for n := range 3 {
		out, err := target.Revert(ctx, undo, save)
		if err != nil || len(out.Superseded) > 0 || len(out.Kept) > 0 {
			t.Fatalf("revert %d: %+v, %v", n+1, out, err)
		}
		if left, err := target.Residue(ctx, undo); err != nil || len(left) > 0 {
			t.Fatalf("residue after revert %d: %v, %v", n+1, left, err)
		}
		if r.Broken() != r.OneShot {
			t.Fatalf("after revert %d: broken is %v", n+1, r.Broken())
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// hold1 holds the rig's fault from this process.
func hold1(t *testing.T, r Rig, req hold.Request) (*hold.Held, string) {
	t.Helper()
	dir := stateDir(t)
	h, err := Launcher(r.Kinds, dir).Hold(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if st := h.Status(); st.State != fault.Held || st.Confirmed == "" {
		t.Errorf("status is %+v, want held and confirmed", st)
	}
	if !r.Broken() {
		t.Error("it is held, but the effect is not there")
	}
	return h, dir
}

func holdAndRelease(t *testing.T, r Rig) {
	h, dir := hold1(t, r, request(r))
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, r, st, true)
	if st.Cause != "released" {
		t.Errorf("cause is %q, want released", st.Cause)
	}
	again, err := hold.Revert(t.Context(), r.Kinds, dir, "f1")
	if err != nil || again.State != st.State {
		t.Errorf("a second revert: %s, %v", again.State, err)
	}
	if _, err := Launcher(r.Kinds, dir).Hold(t.Context(), request(r)); !errors.Is(err, hold.ErrRefused) {
		t.Errorf("the same ID a second time: %v, want refused", err)
	}
}

// changed is the rule that a revert never destroys a recovery, whoever reverts.
func changed(t *testing.T, r Rig) {
	if r.Change == nil {
		return // nothing of a one-shot fault can be put back over a recovery
	}
	h, dir := hold1(t, r, request(r))
	r.Change()
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.State != fault.Superseded || len(st.Superseded) == 0 {
		t.Errorf("state is %s %v, want superseded with a reason", st.State, st.Superseded)
	}
	if _, err := hold.Sweep(t.Context(), r.Kinds, dir); err != nil {
		t.Error(err)
	}
	if _, err := hold.Halt(t.Context(), r.Kinds, dir); err != nil {
		t.Error(err)
	}
	if !r.Intact() {
		t.Error("the recovery was destroyed")
	}
}

func removed(t *testing.T, r Rig) {
	h, _ := hold1(t, r, request(r))
	r.Remove()
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.State != fault.Superseded && st.State != fault.Ended && !(st.State == fault.Reverted && st.Class == fault.SelfEnding) {
		t.Errorf("state is %s, want superseded or ended", st.State)
	}
	if len(st.Residue) > 0 {
		t.Errorf("residue: %v", st.Residue)
	}
}

// limit counts from the request. On a busy machine a fault may reach its limit before it is made; then another one gets a longer
// one.
func limit(t *testing.T, rig func(testing.TB) Rig) {
	r := rig(t)
	req := request(r)
	req.Limit = r.limit(700 * time.Millisecond)
	var h *hold.Held
	for {
		var err error
		h, err = Launcher(r.Kinds, stateDir(t)).Hold(t.Context(), req)
		if err == nil {
			break
		}
		if req.Limit > 30*time.Second {
			t.Fatal(err)
		}
		r = rig(t)
		req.Fault = r.Spec
		req.Limit *= 2
	}
	select {
	case <-h.Done():
	case <-time.After(req.Limit + r.within()):
		t.Fatal("it lives past its limit")
	}
	want(t, r, h.Status(), true)
	if h.Status().Cause != "limit" {
		t.Errorf("cause is %q, want limit", h.Status().Cause)
	}
}

// suspended lets the machine sleep past the limit: the holder's timers have not moved, and its clock has.
func suspended(t *testing.T, r Rig) {
	x := start(t, stateDir(t), request(r), "") // its limit is a minute
	x.held()
	if err := os.WriteFile(x.slept, []byte("1h"), 0o600); err != nil {
		t.Fatal(err)
	}
	st := x.settled(r.within())
	want(t, r, st, true)
	if st.Cause != "limit" {
		t.Errorf("cause is %q, want limit", st.Cause)
	}
}

func halt(t *testing.T, r Rig) {
	h, dir := hold1(t, r, request(r))
	all, err := hold.Halt(t.Context(), r.Kinds, dir)
	if err != nil || len(all) != 1 {
		t.Fatalf("halt: %v, %v", all, err)
	}
	want(t, r, all[0], true)
	<-h.Done()
	if h.Status().Cause != "halt" {
		t.Errorf("cause is %q, want halt", h.Status().Cause)
	}
}

func frozenRunner(t *testing.T, r Rig) {
	req := request(r)
	req.Beat = max(200*time.Millisecond, r.Within/20)
	x := start(t, stateDir(t), req, "")
	x.held()
	x.signal("runner", syscall.SIGSTOP)
	st := x.settled(3*req.Beat + r.within())
	want(t, r, st, true)
	if st.Cause != "beat" {
		t.Errorf("cause is %q, want beat", st.Cause)
	}
}

func frozenHolder(t *testing.T, r Rig) {
	req := request(r)
	req.Limit = r.limit(2 * time.Second)
	x := start(t, stateDir(t), req, "")
	x.held()
	x.signal("holder", syscall.SIGSTOP)
	st := x.settled(req.Limit + gone + r.within())
	want(t, r, st, true)
	// A reaper does not wait for the limit of a holder that is stopped for three seconds.
	if st.Cause != "limit" && !(st.Cause == "reaper" && req.Limit > 3*time.Second) {
		t.Errorf("cause is %q, want limit", st.Cause)
	}
}

// haltFrozen freezes the holder, so that asking does not help.
func haltFrozen(t *testing.T, r Rig) {
	dir := stateDir(t)
	x := start(t, dir, request(r), "")
	x.held()
	x.signal("holder", syscall.SIGSTOP)
	if _, err := hold.Halt(t.Context(), r.Kinds, dir); err != nil {
		t.Fatal(err)
	}
	want(t, r, x.settled(0), true)
}

// reaperFirst kills the reaper, waits for the holder to arm another, and then kills the holder.
func reaperFirst(t *testing.T, r Rig) {
	x := start(t, stateDir(t), request(r), "")
	x.held()
	first := x.pid("reaper")
	x.kill("reaper")
	x.until("another reaper is armed", 5*time.Second, func() bool { p := x.pid("reaper"); return p != first && p != 0 })
	x.kill("holder")
	want(t, r, x.settled(r.within()), true)
}

// kill stops the holder at a point, kills, and looks at what is left: after a second nothing, unless all three died; then
// the next command sweeps it.
func kill(t *testing.T, r Rig, point string, who []string) {
	dir := stateDir(t)
	atEnd := point == "reverting" || point == "reverted" || point == "settled"
	x := start(t, dir, request(r), point)
	if atEnd {
		x.held()
		x.signal("holder", syscall.SIGTERM)
	}
	x.reached()
	began := time.Now()
	if len(who) == 1 {
		x.kill(who[0])
	} else {
		x.killAll()
		switch broken := point == "injected" || point == "confirmed" || point == "holding" || point == "reverting"; {
		case r.KernelEnds:
			x.until("the kernel has taken it back", r.within(), func() bool { return !r.Broken() })
		case broken && !r.Broken():
			t.Error("all are dead, and the effect is gone all the same: this test tests nothing")
		}
	}
	if who[0] == "runner" && len(who) == 1 {
		x.goOn()
	}
	if len(who) == 3 {
		if _, err := hold.Sweep(t.Context(), r.Kinds, dir); err != nil {
			t.Error(err)
		}
	}
	if point == "recorded" && who[0] == "holder" {
		// There is no reaper yet, and nothing is injected: the runner that waits for the holder ends it.
		x.until("the runner gives up", r.within(), func() bool { st, _, _ := hold.Find(dir, "f1"); return ended(st.State) })
	}
	st := x.settled(r.within())
	injected := point != "recorded" && point != "armed" && point != "injecting"
	if (point == "injecting" || point == "armed") && r.OneShot && st.State == fault.Ended {
		// The runner died in the very moment of the injection, which was faster than the end of its input. Nothing can take that
		// back; what counts is that the record says so.
		injected = true
	}
	want(t, r, st, injected)
	if took := time.Since(began); len(who) == 1 && who[0] == "holder" && took > r.within() {
		t.Errorf("it took %s, want at most %s", took, r.within())
	}
}
