package network

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// BenchmarkPartition prints how long it takes from the call to the first lost datagram, and from the call of the revert to
// the first that arrives again, beside `ip route add blackhole`. The promise is 2 ms.
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
			s := stream(b, here, there)
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

// line sends numbered datagrams without a pause, and listens for them at the other side.
type line struct {
	began time.Time
	mu    sync.Mutex
	// sent are the times at which the datagrams were sent, by their numbers; last is the highest that arrived, and again the
	// first that arrived after the last gap.
	sent        []time.Duration
	last, again int
}

// gap is how many lost datagrams in a row are no accident.
const gap = 50

func stream(b *testing.B, from, to nettest.Side) *line {
	b.Helper()
	s := &line{began: time.Now(), last: -1}
	var p net.PacketConn
	to.In(b, func() (err error) { p, err = net.ListenPacket("udp", to.IPv4+":9"); return err })
	c, err := from.Dial("udp", to.IPv4+":9", time.Second)
	if err != nil {
		b.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		m := make([]byte, 8)
		for {
			if _, _, err := p.ReadFrom(m); err != nil {
				return
			}
			s.mu.Lock()
			n := int(binary.BigEndian.Uint64(m))
			if n > s.last+gap {
				s.again = n
			}
			s.last = max(s.last, n)
			s.mu.Unlock()
		}
	})
	both.Go(func() {
		for {
			s.mu.Lock()
			n := len(s.sent)
			s.sent = append(s.sent, time.Since(s.began))
			s.mu.Unlock()
			if _, err := c.Write(binary.BigEndian.AppendUint64(nil, uint64(n))); errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(20 * time.Microsecond)
		}
	})
	b.Cleanup(func() { _, _ = c.Close(), p.Close(); both.Wait() })
	return s
}

// at is how much was sent, and the last that arrived.
func (s *line) at() (sent, last int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent), s.last
}

// until is how long after the call the first datagram was sent that shared the new fate: that was lost, with all after it, or that
// arrived.
func (s *line) until(b *testing.B, cut bool, call func() error) time.Duration {
	b.Helper()
	wait := func(what string, done func() bool) {
		for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(50 * time.Microsecond) {
			if time.Now().After(end) {
				b.Fatalf("never: %s", what)
			}
		}
	}
	before, _ := s.at()
	if cut {
		wait("datagrams arrive before the cut", func() bool { _, last := s.at(); return last >= before })
	}
	_, before = s.at()
	began := time.Since(s.began)
	s.mu.Lock()
	s.again = 0
	s.mu.Unlock()
	if err := call(); err != nil {
		b.Fatal(err)
	}
	first := 0
	if cut {
		wait("nothing arrives any more", func() bool {
			n, last := s.at()
			first = last + 1
			return n-last > 2*gap
		})
	} else {
		wait("datagrams arrive again", func() bool { _, last := s.at(); return last > before })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !cut {
		first = s.again
	}
	return max(0, s.sent[first]-began)
}

// holderVar is the fault that TestBenchHolder holds for BenchmarkKilled.
const holderVar = "BELAY_NETWORK_BENCH_HOLD"

// TestBenchHolder is carried out by BenchmarkKilled: a process that makes a fault and waits to be killed.
func TestBenchHolder(t *testing.T) {
	text := os.Getenv(holderVar)
	if text == "" {
		return
	}
	var config object
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	inject(t, "f1", config)
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// BenchmarkKilled prints how long after kill -9 of the only process that knows of it a fault is gone, without anybody who reverts
// it.
func BenchmarkKilled(b *testing.B) {
	if !nettest.Root(b) {
		return
	}
	for _, way := range []struct{ name, action string }{
		{"drop", `"partition": "10.77.0.2"`},
		{"reject", `"partition": {"to": ["10.77.0.2"], "how": "reject"}`},
		{"loss", `"loss": {"to": ["10.77.0.2"], "percent": 100}`},
	} {
		b.Run(way.name, func(b *testing.B) {
			here, there := nettest.Pair(b)
			s := stream(b, here, there)
			var took []time.Duration
			for b.Loop() {
				cmd := exec.Command("/proc/self/exe", "-test.run=^TestBenchHolder$")
				cmd.Env = append(os.Environ(), fmt.Sprintf(`%s={%s, "netns": %q}`, holderVar, way.action, here.Name))
				if _, err := cmd.StdinPipe(); err != nil {
					b.Fatal(err)
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					b.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				line, err := bufio.NewReader(out).ReadString('\n')
				if err != nil || line != "held\n" {
					b.Fatalf("it said %q, %v", line, err)
				}
				n, _ := s.at()
				for sent := 0; sent < n+3*gap; sent, _ = s.at() {
					time.Sleep(time.Millisecond)
				}
				took = append(took, s.until(b, false, cmd.Process.Kill))
				_ = cmd.Wait()
			}
			b.ReportMetric(0, "ns/op")
			slices.Sort(took)
			b.ReportMetric(micros(took[len(took)/2]), "gone-p50-µs")
			b.ReportMetric(micros(took[len(took)*99/100]), "gone-p99-µs")
		})
	}
}
