//go:build linux

package shape

import (
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/network/nettest"
)

// BenchmarkLatency compares the round trip without a fault, through a queue that lets everything pass, and late.
func BenchmarkLatency(b *testing.B) {
	if !nettest.Root(b) {
		return
	}
	for _, c := range []struct {
		name string
		spec Spec
		n    int
	}{
		{"direct", Spec{}, 5000},
		{"through the queue", Spec{Rate: 1e12}, 5000},
		{"delay 10ms", Spec{Delay: 10 * time.Millisecond}, 100},
		{"delay 100ms", Spec{Delay: 100 * time.Millisecond}, 30},
	} {
		b.Run(c.name, func(b *testing.B) {
			here, _ := echoes(b)
			if c.spec != (Spec{}) {
				l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Queue, Spec: c.spec}
				l.confirmed(b)
			}
			conn := dial(b, here, "10.77.0.2:7000")
			for b.Loop() {
				d := trips(b, conn, c.n)
				b.ReportMetric(float64(percentile(d, 50).Nanoseconds())/1e3, "p50-us")
				b.ReportMetric(float64(percentile(d, 99).Nanoseconds())/1e3, "p99-us")
			}
		})
	}
}

// BenchmarkThroughput compares one connection of TCP without a fault and through the engine.
func BenchmarkThroughput(b *testing.B) {
	if !nettest.Root(b) {
		return
	}
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"direct", Spec{}},
		{"through the queue", Spec{Rate: 1e12}},
		{"delay 1ms", Spec{Delay: time.Millisecond}},
		{"delay 10ms", Spec{Delay: 10 * time.Millisecond}},
		{"loss of nearly none", Spec{Loss: 1e-9}},
		{"corrupt nearly none", Spec{Corrupt: 1e-9}},
		{"rate 1 Gbit", Spec{Rate: 1e9}},
		{"rate 100 Mbit", Spec{Rate: 1e8}},
	} {
		b.Run(c.name, func(b *testing.B) {
			here, there := echoes(b)
			sink(b, there, 7001)
			if c.spec != (Spec{}) {
				l := line{Netns: here.Name, To: []string{"10.77.0.2:7001"}, Engine: Queue, Spec: c.spec}
				l.confirmed(b)
			}
			for b.Loop() {
				b.ReportMetric(throughput(b, here, "10.77.0.2:7001", 128<<20), "Mbit/s")
			}
		})
	}
}
