//go:build linux

package shape

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/uml"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestNetem runs in a kernel that has it.
func TestNetem(t *testing.T) {
	if !uml.Inside() {
		uml.Run(t, uml.Options{
			Modules: []string{"ipv6", "veth", "sch_netem", "sch_prio", "sch_tbf", "cls_flower", "cls_u32"},
			// Of the suite, what netem is different in: it is not taken back by the kernel. The times of the suite are not for a
			// kernel that is ten times as slow.
			Run:     "^TestNetem$/^(able|delay|shares|rate|foreign|superseded|u32|in|conformance)$/^(plan.*|revert.*|hold.*|changed.*|removed.*|kill_.runner_holder_reaper._at_holding)$",
			Timeout: 5 * time.Minute,
		})
		return
	}
	t.Run("able", func(t *testing.T) {
		a := Able()
		if a.NoNetem != "" || !a.Flower || !strings.HasPrefix(a.NoQueue, "no packet queue: ") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("delay", netemDelay)
	t.Run("shares", netemShares)
	t.Run("rate", netemRate)
	t.Run("foreign", netemForeign)
	t.Run("superseded", netemSuperseded)
	t.Run("u32", netemU32)
	t.Run("in", func(t *testing.T) {
		here, _ := echoes(t)
		l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Direction: filter.In, Engine: Netem, Spec: Spec{Loss: 1}}
		wantRefusal(t, &l, "netem acts on what goes out, and the direction is in")
	})
	t.Run("conformance", func(t *testing.T) { faulttest.Run(t, netemRig) })
}

func wantRefusal(t *testing.T, l *line, want string) {
	t.Helper()
	_, err := l.Target().Plan(t.Context(), fault.Ask{ID: "f1"})
	if err == nil || err.Error() != want {
		t.Errorf("\ngot  %v\nwant %s", err, want)
	}
}

func qdiscs(t testing.TB, s nettest.Side) string {
	t.Helper()
	return nettest.Run(t, "tc", "-n", s.Name, "qdisc", "show", "dev", s.Device)
}

func netemDelay(t *testing.T) {
	here, there := echoes(t)
	there.Echo(t, 7001)
	was := qdiscs(t, here)
	for _, addr := range []string{"10.77.0.2:7000", "[fd77::2]:7000"} {
		l := line{Netns: here.Name, To: []string{addr}, Engine: Netem, Spec: Spec{Delay: 100 * time.Millisecond}}
		conn := dial(t, here, addr)
		before := trips(t, conn, 50)
		h := l.confirmed(t)
		exact(t, conn, 100*time.Millisecond, before)
		if h.plan.Class != fault.Restore || h.plan.KernelEnds || h.plan.Mechanism != "netem" {
			t.Errorf("plan is %+v", h.plan)
		}
		beside := dial(t, here, strings.Replace(addr, "7000", "7001", 1))
		if d := percentile(trips(t, beside, 20), 50); d > 20*time.Millisecond {
			t.Errorf("the port beside it takes %s", d)
		}
		if out := h.revert(t); len(out.Superseded) > 0 {
			t.Error(out)
		}
		if now := qdiscs(t, here); now != was {
			t.Errorf("after the revert:\n%s\nbefore:\n%s", now, was)
		}
	}
}

func netemShares(t *testing.T) {
	const n = 1000
	here, _ := echoes(t)
	for _, c := range []struct {
		name        string
		spec        Spec
		of          func(came, twice, damaged, late int) int
		least, most float64
	}{
		{"loss", Spec{Loss: 10}, func(came, _, _, _ int) int { return n - came }, 7, 13},
		{"duplicate", Spec{Duplicate: 10}, func(_, twice, _, _ int) int { return twice }, 7, 13},
		// A flipped bit is found by a checksum, and the packet is lost.
		{"corrupt", Spec{Corrupt: 10}, func(came, _, _, _ int) int { return n - came }, 6, 13},
		{"reorder", Spec{Reorder: 25, ReorderBy: 20 * time.Millisecond}, func(_, _, _, late int) int { return late }, 15, 35},
	} {
		l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Netem, Spec: c.spec}
		h := l.confirmed(t)
		share := 0.0
		for range tries {
			got := burst(t, dial(t, here, "10.77.0.2:7000"), n, 100, 2*time.Millisecond, 300*time.Millisecond)
			share = 100 * float64(c.of(tally(got))) / n
			t.Logf("%s: %.1f %%", c.name, share)
			if share >= c.least && share <= c.most {
				break
			}
		}
		if share < c.least || share > c.most {
			t.Errorf("%s: %.1f %%, want %v to %v", c.name, share, c.least, c.most)
		}
		h.revert(t)
	}
}

func netemRate(t *testing.T) {
	here, there := echoes(t)
	sink(t, there, 7001)
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7001"}, Engine: Netem, Spec: Spec{Rate: 8e6}}
	h := l.confirmed(t)
	var got float64
	for range tries {
		got = throughput(t, here, "10.77.0.2:7001", 2<<20)
		t.Logf("%.2f Mbit/s", got)
		if got > 6.4 && got < 9.6 {
			break
		}
	}
	if got < 6.4 || got > 9.6 {
		t.Errorf("%.2f Mbit/s, want 8 within 20 %%", got)
	}
	h.revert(t)
}

// netemForeign: what somebody has set up is not replaced.
func netemForeign(t *testing.T) {
	here, _ := echoes(t)
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Netem, Spec: Spec{Loss: 1}}
	nettest.Run(t, "tc", "-n", here.Name, "qdisc", "add", "dev", here.Device, "root", "handle", "7:", "tbf", "rate", "1gbit", "burst", "100k", "latency", "10ms")
	was := qdiscs(t, here)
	wantRefusal(t, &l, "wire has a queueing discipline of its own, tbf 7:0, and Belay replaces only the kernel's")
	l.Engine = Best // and there is nothing else in this kernel
	wantRefusal(t, &l, "wire has a queueing discipline of its own, tbf 7:0, and Belay replaces only the kernel's; "+Able().NoQueue)
	// And when it comes between the plan and the injection.
	nettest.Run(t, "tc", "-n", here.Name, "qdisc", "del", "dev", here.Device, "root")
	target := l.Target()
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	nettest.Run(t, "tc", "-n", here.Name, "qdisc", "add", "dev", here.Device, "root", "handle", "7:", "tbf", "rate", "1gbit", "burst", "100k", "latency", "10ms")
	h := &held{target: target, undo: p.Undo}
	err = target.Inject(t.Context(), h.undo, h.save)
	if err == nil || err.Error() != "wire: somebody has set up a queueing discipline since it was planned" {
		t.Error(err)
	}
	h.revert(t)
	if now := qdiscs(t, here); now != was {
		t.Errorf("now:\n%s\nbefore:\n%s", now, was)
	}
}

// netemSuperseded: what was changed while the fault was held is left alone, also by a second revert.
func netemSuperseded(t *testing.T) {
	here, _ := echoes(t)
	for _, c := range []struct {
		name string
		do   func(here nettest.Side, handle string)
		want string
	}{
		{"replaced", func(here nettest.Side, _ string) {
			nettest.Run(t, "tc", "-n", here.Name, "qdisc", "replace", "dev", here.Device, "root", "handle", "8:", "pfifo", "limit", "77")
		}, "the queueing discipline of wire was replaced since the fault began"},
		{"removed", func(here nettest.Side, _ string) {
			nettest.Run(t, "tc", "-n", here.Name, "qdisc", "del", "dev", here.Device, "root")
		}, "the queueing discipline of wire was replaced since the fault began"},
		{"changed", func(here nettest.Side, handle string) {
			nettest.Run(t, "tc", "-n", here.Name, "qdisc", "change", "dev", here.Device, "parent", handle+":4", "netem", "delay", "1ms")
		}, "netem on wire was changed since the fault began"},
		{"filters removed", func(here nettest.Side, handle string) {
			nettest.Run(t, "tc", "-n", here.Name, "filter", "del", "dev", here.Device, "parent", handle+":")
		}, "netem on wire was changed since the fault began"},
		{"interface gone", func(here nettest.Side, _ string) {
			nettest.Run(t, "ip", "-n", here.Name, "link", "del", here.Device)
		}, "interface wire is gone"},
	} {
		l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Netem, Spec: Spec{Delay: 20 * time.Millisecond}}
		h := l.inject(t)
		c.do(here, fmt.Sprintf("%x", handleOf("f1")))
		show := func() string {
			if c.name == "interface gone" {
				return ""
			}
			return qdiscs(t, here)
		}
		was := show()
		for range 2 {
			out := h.revert(t)
			if !slices.Equal(out.Superseded, []string{c.want}) {
				t.Errorf("%s: %+v, want %s", c.name, out, c.want)
			}
		}
		if now := show(); now != was {
			t.Errorf("%s: now:\n%s\nbefore:\n%s", c.name, now, was)
		}
		_ = exec.Command("tc", "-n", here.Name, "qdisc", "del", "dev", here.Device, "root").Run() // for the next one, where there is one
	}
}

// netemU32 leads packets through netem with the older filter.
func netemU32(t *testing.T) {
	here, there := echoes(t)
	there.Echo(t, 7001)
	for _, addr := range []string{"10.77.0.2:7000", "[fd77::2]:7000"} {
		l := line{Netns: here.Name, To: []string{addr}, Engine: Netem, Spec: Spec{Delay: 50 * time.Millisecond}}
		target := New(l.find, l.Spec, Netem).(*target)
		target.hand = netemLines{u32: true}
		p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
		if err != nil {
			t.Fatal(err)
		}
		h := &held{target: target, undo: p.Undo}
		if err := target.Inject(t.Context(), h.undo, h.save); err != nil {
			t.Fatal(err)
		}
		if shown := nettest.Run(t, "tc", "-n", here.Name, "filter", "show", "dev", here.Device); !strings.Contains(shown, "u32") {
			t.Errorf("filters are %s", shown)
		}
		if d := percentile(trips(t, dial(t, here, addr), 5), 50); d < 50*time.Millisecond {
			t.Errorf("%s: %s", addr, d)
		}
		if d := percentile(trips(t, dial(t, here, strings.Replace(addr, "7000", "7001", 1)), 20), 50); d > 20*time.Millisecond {
			t.Errorf("beside %s: %s", addr, d)
		}
		h.revert(t)
	}
}

// netemRig delays by netem. A recovery replaces the queueing discipline.
func netemRig(t testing.TB) faulttest.Rig {
	r := lineRig(Netem, filter.Out)(t)
	var l struct{ Line line }
	decode(t, r.Spec, &l)
	name := l.Line.Netns
	r.Change = func() {
		nettest.Run(t, "tc", "-n", name, "qdisc", "replace", "dev", "wire", "root", "handle", "8:", "pfifo", "limit", "77")
	}
	r.Intact = func() bool {
		return strings.Contains(nettest.Run(t, "tc", "-n", name, "qdisc", "show", "dev", "wire"), "pfifo 8: root")
	}
	return r
}
