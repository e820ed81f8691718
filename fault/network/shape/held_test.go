//go:build linux

package shape

import (
	"fmt"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestDelayIsNoRate: a connection that is late must not become slow as well, beyond what its window makes it. The kernel
// lets it have a millisecond of packets in its network card, and must not take those that are held for such.
func TestDelayIsNoRate(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := echoes(t)
	sink(t, there, 7001)
	for _, direction := range []filter.Direction{filter.Out, filter.In} {
		l := line{Netns: here.Name, To: []string{"10.77.0.2:7001"}, Direction: direction, Engine: Queue, Spec: Spec{Delay: 50 * time.Millisecond}}
		h := l.confirmed(t)
		const want = 20
		got := 0.0
		for range tries {
			if got = throughput(t, here, "10.77.0.2:7001", 4<<20); got > want {
				break
			}
		}
		t.Logf("%s: %.0f Mbit/s", direction, got)
		if got <= want {
			t.Errorf("%s: %.1f Mbit/s with a delay of 50 ms, want more than %d", direction, got, want)
		}
		h.revert(t)
	}
}

// TestRevertLosesNothing: what is held when the fault ends comes at once, and in its order.
func TestRevertLosesNothing(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := echoes(t)
	for _, c := range []struct {
		direction filter.Direction
		size      int
	}{{filter.Out, 100}, {filter.Out, 1400}, {filter.Out, 4000}, {filter.In, 100}} {
		t.Run(fmt.Sprint(c.direction, c.size), func(t *testing.T) {
			l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Protocol: filter.UDP, Direction: c.direction, Engine: Queue, Spec: Spec{Delay: 20 * time.Second}}
			h := l.inject(t)
			const n = 20
			conn := dial(t, here, "10.77.0.2:7000")
			done := make(chan [][]byte)
			go func() { done <- burst(t, conn, n, c.size, time.Millisecond, time.Second) }()
			e := h.target.(*target).hand.(*queue).engine
			for end := time.Now().Add(10 * time.Second); ; <-time.After(time.Millisecond) {
				if s, err := e.stats(); err != nil || s.Held == n {
					break
				} else if time.Now().After(end) {
					t.Fatalf("%+v", s)
				}
			}
			h.revert(t)
			if came, twice, damaged, late := tally(<-done); came != n || twice+damaged+late != 0 {
				t.Errorf("%d of %d came, %d twice, %d damaged, %d late", came, n, twice, damaged, late)
			}
		})
	}
}
