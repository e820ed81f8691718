//go:build linux

package shape

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestNoEffect: a fault at which nothing answers is refused before anything is changed.
func TestNoEffect(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := echoes(t)
	there.In(t, func() error { // a service of UDP that says nothing
		c, err := net.ListenPacket("udp", "10.77.0.2:7002")
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		return err
	})
	for _, c := range []struct {
		name     string
		to       string
		protocol filter.Protocol
		want     string // empty when it is no refusal
	}{
		{"a wrong port", "10.77.0.2:7003", filter.Any, "nothing answers at 10.77.0.2:7003, so the fault would have no effect: tcp 10.77.0.2:7003: the port is closed; udp 10.77.0.2:7003: the port is closed"},
		{"a wrong port of TCP", "10.77.0.2:7003", filter.TCP, "nothing answers at 10.77.0.2:7003, so the fault would have no effect: tcp 10.77.0.2:7003: the port is closed"},
		{"a wrong port of UDP", "10.77.0.2:7003", filter.UDP, "nothing answers at 10.77.0.2:7003, so the fault would have no effect: udp 10.77.0.2:7003: the port is closed"},
		{"UDP only, asked for TCP", "10.77.0.2:7002", filter.TCP, "nothing answers at 10.77.0.2:7002, so the fault would have no effect: tcp 10.77.0.2:7002: the port is closed"},
		{"nobody there", "10.77.0.99:7000", filter.TCP, "nothing answers at 10.77.0.99:7000, so the fault would have no effect: tcp 10.77.0.99:7000: no answer"},
		{"no way there", "10.78.0.1:7000", filter.TCP, "nothing answers at 10.78.0.1:7000, so the fault would have no effect: tcp 10.78.0.1:7000: connect: network is unreachable"},
		{"a service", "10.77.0.2:7000", filter.Any, ""},
		{"a silent service", "10.77.0.2:7002", filter.UDP, ""},
		{"a silent service of any protocol", "10.77.0.2:7002", filter.Any, ""},
		{"a host", "10.77.0.2", filter.Any, ""},
		{"a host's TCP", "10.77.0.2", filter.TCP, ""},
		{"a host's UDP", "10.77.0.2", filter.UDP, ""},
		{"a host's ICMP", "fd77::2", filter.ICMP, ""},
		{"a network", "10.77.0.0/24", filter.Any, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := line{Netns: here.Name, To: []string{c.to}, Protocol: c.protocol, Engine: Queue, Spec: Spec{Loss: 50}}
			_, err := l.Target().Plan(t.Context(), fault.Ask{ID: "f1"})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestConfirm: the effect is seen in every protocol, and a fault that no packet meets is never confirmed.
func TestConfirm(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	delay := Spec{Delay: 30 * time.Millisecond}
	for _, c := range []struct {
		name string
		line line
		want string
	}{
		{"tcp", line{To: []string{"10.77.0.2:7000"}, Protocol: filter.TCP, Spec: delay}, "tcp 10.77.0.2:7000 answers after "},
		{"udp", line{To: []string{"10.77.0.2:7000"}, Protocol: filter.UDP, Spec: delay}, "udp 10.77.0.2:7000 answers after "},
		{"a host", line{To: []string{"10.77.0.2"}, Spec: delay}, "tcp 10.77.0.2:9 answers after "},
		{"a host's UDP", line{To: []string{"10.77.0.2"}, Protocol: filter.UDP, Spec: delay}, "udp 10.77.0.2:9 answers after "},
		{"ping", line{To: []string{"10.77.0.2"}, Protocol: filter.ICMP, Spec: delay}, "ping 10.77.0.2 answers after "},
		{"ping over IPv6", line{To: []string{"fd77::2"}, Protocol: filter.ICMP, Direction: filter.In, Spec: delay}, "ping fd77::2 answers after "},
		{"a long delay", line{To: []string{"10.77.0.2:7000"}, Protocol: filter.TCP, Spec: Spec{Delay: 30 * time.Second}}, "tcp 10.77.0.2:7000 does not answer within 2s"},
		{"little loss", line{To: []string{"10.77.0.2:7000"}, Protocol: filter.TCP, Spec: Spec{Loss: 0.001}}, "packets through the queue, which is too few to see it happen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			here, _ := echoes(t)
			c.line.Netns, c.line.Engine = here.Name, Queue
			h := c.line.inject(t)
			seen, err := h.target.Confirm(t.Context(), h.undo)
			if err != nil || !strings.Contains(seen, c.want) {
				t.Errorf("%s, %v; want %s", seen, err, c.want)
			}
		})
	}
	t.Run("a network to which nobody talks", func(t *testing.T) {
		here, _ := echoes(t)
		l := line{Netns: here.Name, To: []string{"10.99.0.0/24"}, Engine: Queue, Spec: delay}
		h := l.inject(t)
		_, err := h.target.Confirm(t.Context(), h.undo)
		const want = "no packet has met the fault: nothing here talks to 10.99.0.0/24"
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	})
	t.Run("rules that are not there", func(t *testing.T) {
		_, there := echoes(t)
		l := line{Netns: there.Name, To: []string{"10.77.0.1"}, Protocol: filter.ICMP, Engine: Queue, Spec: delay}
		h := l.inject(t)
		for _, table := range h.target.(*target).hand.(*queue).tables {
			if err := table.Close(); err != nil {
				t.Fatal(err)
			}
		}
		h.target.(*target).hand.(*queue).tables = nil
		if seen, err := h.target.Confirm(t.Context(), h.undo); err == nil {
			t.Errorf("confirmed without an effect: %s", seen)
		}
	})
}

// TestBeside: packets outside of the filter are not touched.
func TestBeside(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := echoes(t)
	there.Echo(t, 7005)
	l := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Direction: filter.Both, Engine: Queue, Spec: Spec{Loss: 100}}
	l.confirmed(t)
	if here.Answers("udp", "10.77.0.2:7000", 100*time.Millisecond) {
		t.Error("the service still answers")
	}
	for _, addr := range []string{"10.77.0.2:7005", "[fd77::2]:7000"} {
		for _, network := range []string{"tcp", "udp"} {
			if !here.Answers(network, addr, time.Second) {
				t.Errorf("%s %s does not answer", network, addr)
			}
		}
	}
}

// TestTogether: two faults on one path add up, and each ends by itself.
func TestTogether(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := echoes(t)
	one := line{Netns: here.Name, To: []string{"10.77.0.2:7000"}, Engine: Queue, Spec: Spec{Delay: 40 * time.Millisecond}}
	two := line{Netns: here.Name, To: []string{"10.77.0.2"}, Direction: filter.In, Engine: Queue, Spec: Spec{Delay: 60 * time.Millisecond}}
	c := dial(t, here, "10.77.0.2:7000")
	h := one.confirmed(t)
	target := two.Target()
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Inject(t.Context(), p.Undo, func(json.RawMessage) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if d := percentile(trips(t, c, 5), 50); d < 100*time.Millisecond {
		t.Errorf("both: %s, want 100 ms at least", d)
	}
	h.revert(t)
	if d := percentile(trips(t, c, 5), 0); d < 60*time.Millisecond || d > 95*time.Millisecond {
		t.Errorf("the second alone: %s, want 60 ms", d)
	}
	if _, err := target.Revert(t.Context(), p.Undo, nil); err != nil {
		t.Fatal(err)
	}
	if d := percentile(trips(t, c, 20), 50); d > 20*time.Millisecond {
		t.Errorf("none: %s", d)
	}
}
