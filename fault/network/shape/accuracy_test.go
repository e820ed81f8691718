//go:build linux

package shape

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// tries is how often an accuracy is measured before it counts as wrong: the machine may be busy with something else.
const tries = 10

// TestDelay is the contract: 100 ms come as 100 ± 2 ms in the middle. What this test's own process is woken late by, on a
// machine that is busy with others, is not counted against the engine.
func TestDelay(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := echoes(t)
	for _, c := range []struct {
		name string
		line line
		addr string
		want time.Duration
	}{
		{"out", line{To: []string{"10.77.0.2:7000"}}, "10.77.0.2:7000", 100 * time.Millisecond},
		{"in", line{To: []string{"10.77.0.2:7000"}, Direction: filter.In}, "10.77.0.2:7000", 100 * time.Millisecond},
		{"both", line{To: []string{"10.77.0.2"}, Direction: filter.Both}, "10.77.0.2:7000", 200 * time.Millisecond},
		{"six", line{To: []string{"[fd77::2]:7000"}, Protocol: filter.UDP}, "[fd77::2]:7000", 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.line.Netns, c.line.Engine, c.line.Spec = here.Name, Queue, Spec{Delay: 100 * time.Millisecond}
			conn := dial(t, here, c.addr)
			before := trips(t, conn, 200)
			h := c.line.confirmed(t)
			exact(t, conn, c.want, before)
			s, err := h.target.(*target).hand.(*queue).engine.stats()
			if err != nil || s.In == 0 {
				t.Fatal(s, err)
			}
			t.Logf("the engine itself: %s later than due, at most %s, of %d", s.Overdue/time.Duration(s.In), s.MostOverdue, s.In)
			h.revert(t)
			if d := trips(t, conn, 50); len(d) != 50 || percentile(d, 50) > 5*time.Millisecond {
				t.Errorf("after the revert %d of 50 answers, p50 %s", len(d), percentile(d, 50))
			}
		})
	}
}

// exact fails unless round trips take so long in the middle.
func exact(t *testing.T, conn net.Conn, want time.Duration, before []time.Duration) {
	t.Helper()
	var got, late time.Duration
	for range tries {
		naps := make(chan []time.Duration)
		go func() { naps <- oversleep(want, 15) }()
		d := trips(t, conn, 15)
		got, late = percentile(d, 50), percentile(<-naps, 50)
		t.Logf("p50 %s, p99 %s; direct p50 %s, p99 %s; a timer here is %s late", got, percentile(d, 99), percentile(before, 50), percentile(before, 99), late)
		if len(d) == 15 && got >= want && got <= want+2*time.Millisecond+late {
			return
		}
	}
	t.Errorf("p50 is %s, want %s, and a timer is %s late", got, want, late)
}

// oversleep is how much longer n sleeps take than asked for, sorted.
func oversleep(d time.Duration, n int) []time.Duration {
	var late []time.Duration
	for range n {
		began := time.Now()
		<-time.After(d)
		late = append(late, time.Since(began)-d)
	}
	slices.Sort(late)
	return late
}

// burst sends n numbered datagrams, a few at a time, and returns those that came back, in their order.
func burst(t testing.TB, c net.Conn, n, size int, pause, patience time.Duration) [][]byte {
	t.Helper()
	done := make(chan [][]byte)
	go func() {
		var got [][]byte
		b := make([]byte, 65536)
		for {
			_ = c.SetReadDeadline(time.Now().Add(patience))
			m, err := c.Read(b)
			if err != nil {
				done <- got
				return
			}
			got = append(got, bytes.Clone(b[:m]))
		}
	}()
	for i := range n {
		b := make([]byte, size)
		binary.BigEndian.PutUint32(b, uint32(i))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if i%10 == 9 {
			<-time.After(pause)
		}
	}
	return <-done
}

// counts says how many datagrams came at all, more than once, damaged, and behind a later one.
func tally(got [][]byte) (came, twice, damaged, late int) {
	seen := map[uint32]bool{}
	highest := -1
	for _, b := range got {
		i := binary.BigEndian.Uint32(b)
		clean := i < 1e6
		for _, x := range b[4:] {
			clean = clean && x == 0
		}
		switch {
		case !clean:
			damaged++
			continue
		case seen[i]:
			twice++
			continue
		}
		seen[i] = true
		came++
		if int(i) < highest {
			late++
		}
		highest = max(highest, int(i))
	}
	return came, twice, damaged, late
}

func TestShares(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	const n = 2000
	here, _ := echoes(t) // one for all: each fault also shows that the one before it has gone
	for _, c := range []struct {
		name string
		spec Spec
		of   func(came, twice, damaged, late int) int
		// in percent
		least, most float64
	}{
		{"loss", Spec{Loss: 10}, func(came, _, _, _ int) int { return n - came }, 7, 13},
		{"loss of all", Spec{Loss: 100}, func(came, _, _, _ int) int { return n - came }, 100, 100},
		{"duplicate", Spec{Duplicate: 10}, func(_, twice, _, _ int) int { return twice }, 7, 13},
		{"corrupt", Spec{Corrupt: 10}, func(_, _, damaged, _ int) int { return damaged }, 7, 13},
		{"reorder", Spec{Reorder: 25, ReorderBy: 5 * time.Millisecond}, func(_, _, _, late int) int { return late }, 19, 31},
		{"jitter keeps the order", Spec{Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond}, func(_, _, _, late int) int { return late }, 0, 0},
	} {
		for _, direction := range []filter.Direction{filter.Out, filter.In} {
			for _, addr := range []string{"10.77.0.2:7000", "[fd77::2]:7000"} {
				t.Run(c.name+" "+string(direction)+" "+addr, func(t *testing.T) {
					l := line{Netns: here.Name, To: []string{addr}, Direction: direction, Engine: Queue, Spec: c.spec}
					h := l.confirmed(t)
					share := 0.0
					for range tries {
						conn := dial(t, here, addr) // a new one: what of the last try comes late is not counted
						got := burst(t, conn, n, 100, time.Millisecond, 300*time.Millisecond)
						share = 100 * float64(c.of(tally(got))) / n
						t.Logf("%.1f %%", share)
						if share >= c.least && share <= c.most {
							break
						}
					}
					if share < c.least || share > c.most {
						t.Errorf("%.1f %%, want %v to %v", share, c.least, c.most)
					}
					h.revert(t)
				})
			}
		}
	}
}

// TestRate sends by TCP for a second or so and sees how much arrives.
func TestRate(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := echoes(t)
	sink(t, there, 7001)
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7001"}, Engine: Queue, Spec: Spec{Rate: 8e6}}
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

// sink takes what comes and says one byte when the other side has ended.
func sink(t testing.TB, s nettest.Side, port int) {
	t.Helper()
	s.In(t, func() error {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					_, _ = io.Copy(io.Discard, c)
					_, _ = c.Write([]byte{1})
					_ = c.Close()
				}()
			}
		}()
		return nil
	})
}

// throughput is that of so many bytes over one connection, in Mbit/s of payload, until the other side has all of it.
func throughput(t testing.TB, s nettest.Side, addr string, size int) float64 {
	t.Helper()
	c, err := s.Dial("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	b := make([]byte, 128<<10)
	for left := size; left > 0; left -= len(b) {
		if _, err := c.Write(b[:min(left, len(b))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(b); err != nil {
		t.Fatal(err)
	}
	return float64(size) * 8 / 1e6 / time.Since(began).Seconds()
}
