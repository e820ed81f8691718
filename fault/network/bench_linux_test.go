package network

import (
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// BenchmarkPartition prints how long it takes from the call to the effect, and to the end of the effect afterwards, beside
// `ip route add blackhole`. The promise is 2 ms.
func BenchmarkPartition(b *testing.B) {
	if !nettest.Root(b) {
		return
	}
	here, there := nettest.Pair(b)
	there.Echo(b, 7)
	decode := func(config object) fault.Target {
		config["netns"] = here.Name
		target, err := kinds().Decode(faulttest.Spec(b, object{"network": config}))
		if err != nil {
			b.Fatal(err)
		}
		return target
	}
	ours := func(config object) func() (func() error, func() error) {
		return func() (func() error, func() error) {
			target := decode(config)
			p, err := target.Plan(b.Context(), fault.Ask{ID: "f1"})
			if err != nil {
				b.Fatal(err)
			}
			undo := p.Undo
			save := func(u json.RawMessage) error { undo = u; return nil }
			return func() error { return target.Inject(b.Context(), undo, save) },
				func() error { _, err := target.Revert(b.Context(), undo, save); return err }
		}
	}
	ip := func(verb string) func() error {
		return exec.Command("ip", "-n", here.Name, "route", verb, "blackhole", "10.77.0.2").Run
	}
	for _, way := range []struct {
		name string
		make func() (begin, end func() error)
	}{
		{"partition", ours(object{"partition": "10.77.0.2"})},
		{"blackhole", ours(object{"blackhole": "10.77.0.2"})},
		{"ip-route-add-blackhole", func() (func() error, func() error) { return ip("add"), ip("del") }},
	} {
		b.Run(way.name, func(b *testing.B) {
			var in, out []time.Duration
			s := stream(b, here)
			for b.Loop() {
				begin, end := way.make()
				in = append(in, s.until(b, true, begin))
				out = append(out, s.until(b, false, end))
			}
			b.ReportMetric(0, "ns/op")
			for name, list := range map[string][]time.Duration{"effect": in, "revert": out} {
				slices.Sort(list)
				b.ReportMetric(micros(list[len(list)/2]), name+"-p50-µs")
				b.ReportMetric(micros(list[len(list)*99/100]), name+"-p99-µs")
			}
		})
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// sender sends datagrams without a pause, and notes when the kernel began to refuse them, and when it ceased to.
type sender struct {
	// change is the time of the last change, and cut what it was to.
	change atomic.Int64
	cut    atomic.Bool
	began  time.Time
}

func stream(b *testing.B, from nettest.Side) *sender {
	b.Helper()
	var c net.Conn
	c, err := from.Dial("udp", "10.77.0.2:9", time.Second)
	if err != nil {
		b.Fatal(err)
	}
	s := &sender{began: time.Now()}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			_, err := c.Write([]byte("x"))
			if opError(err) {
				return
			}
			if refused := err != nil && !isRefused(err); refused != s.cut.Load() {
				s.change.Store(int64(time.Since(s.began)))
				s.cut.Store(refused)
			}
			time.Sleep(20 * time.Microsecond)
		}
	}()
	b.Cleanup(func() { _ = c.Close(); <-over })
	return s
}

// until is how long after the call the datagrams change their fate.
func (s *sender) until(b *testing.B, cut bool, call func() error) time.Duration {
	b.Helper()
	if s.cut.Load() == cut {
		b.Fatalf("cut is %v before the call", cut)
	}
	began := time.Since(s.began)
	if err := call(); err != nil {
		b.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); s.cut.Load() != cut; time.Sleep(10 * time.Microsecond) {
		if time.Now().After(end) {
			b.Fatalf("cut never became %v", cut)
		}
	}
	return time.Duration(s.change.Load()) - began
}

// opError says that the connection is closed.
func opError(err error) bool { return errors.Is(err, net.ErrClosed) }

// isRefused is what the other side says about a port where nobody listens. Such a datagram got through.
func isRefused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }
