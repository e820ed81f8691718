//go:build linux

package shape

import (
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestBest: a kernel without netem takes the queue and says why, and the capabilities agree with the plan.
func TestBest(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	a := Able()
	t.Logf("this kernel: %+v", a)
	here, _ := echoes(t)
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Spec: Spec{Delay: 20 * time.Millisecond}}
	h := l.confirmed(t)
	mechanism, why, ends := a.Mechanism()
	if why != "" || ends != h.plan.KernelEnds {
		t.Errorf("able says %q, %q, %v; the plan is %+v", mechanism, why, ends, h.plan)
	}
	if a.NoNetem == "" {
		if h.plan.Mechanism != "netem" || h.plan.Class != fault.Restore {
			t.Errorf("plan is %+v", h.plan)
		}
		return
	}
	if want := "packet queue of the holder, nft owner table (not netem: " + a.NoNetem + ")"; h.plan.Mechanism != want || h.plan.Class != fault.SelfEnding {
		t.Errorf("plan is %+v, want %s", h.plan, want)
	}
	l.Engine = Netem
	wantRefusal(t, &l, a.NoNetem)
}

func TestAbility(t *testing.T) {
	for _, c := range []struct {
		a         Ability
		mechanism string
		why       string
		ends      bool
	}{
		{Ability{}, "netem", "", false},
		{Ability{NoNetem: "no prio"}, "packet queue of the holder (no prio)", "", true},
		{Ability{NoNetem: "no prio", NoQueue: "no nft"}, "", "no prio; no nft", false},
	} {
		mechanism, why, ends := c.a.Mechanism()
		if mechanism != c.mechanism || why != c.why || ends != c.ends {
			t.Errorf("%+v: %q %q %v", c.a, mechanism, why, ends)
		}
	}
}
