//go:build linux

package shape

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

func TestMain(m *testing.M) { faulttest.Main(m, kindsForTests(), nil) }

// kindsForTests has the one kind that these tests hold. The real ones are in fault/network.
func kindsForTests() fault.Kinds {
	return fault.Kinds{"line": func() fault.Config { return &line{} }}
}

// line is a config with nothing but what New needs.
type line struct {
	Netns     string           `json:"netns"`
	To        []string         `json:"to"`
	Protocol  filter.Protocol  `json:"protocol,omitempty"`
	Direction filter.Direction `json:"direction,omitempty"`
	Spec      Spec             `json:"spec"`
	Engine    Engine           `json:"engine,omitempty"`
}

func (l *line) CheckConfig() map[string]string { return l.Spec.Check() }

func (l *line) Target() fault.Target { return New(l.find, l.Spec, l.Engine) }

func (l *line) find(ctx context.Context) (Place, error) {
	ref, err := netns.Named(l.Netns)
	if err != nil {
		return Place{}, err
	}
	p := Place{Netns: ref, Filter: filter.Filter{Protocol: l.Protocol, Direction: l.Direction}}
	if p.Filter.Protocol == "" {
		p.Filter.Protocol = filter.Any
	}
	if p.Filter.Direction == "" {
		p.Filter.Direction = filter.Out
	}
	p.Filter.To, err = filter.Resolve(ctx, net.DefaultResolver.LookupNetIP, l.To, nil)
	return p, err
}

// held is a fault that a test has injected in this process.
type held struct {
	target fault.Target
	plan   fault.Plan
	undo   json.RawMessage
}

// inject plans, injects and confirms, and reverts at the end of the test.
func (l *line) inject(t testing.TB) *held {
	t.Helper()
	ctx := t.Context()
	h := &held{target: l.Target()}
	var err error
	if h.plan, err = h.target.Plan(ctx, fault.Ask{ID: "f1"}); err != nil {
		t.Fatal(err)
	}
	h.undo = h.plan.Undo
	if err := h.target.Inject(ctx, h.undo, h.save); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = h.target.Revert(context.WithoutCancel(ctx), h.undo, h.save) })
	return h
}

func (h *held) save(undo json.RawMessage) error {
	h.undo = slices.Clone(undo)
	return nil
}

func (l *line) confirmed(t testing.TB) *held {
	t.Helper()
	h := l.inject(t)
	seen, err := h.target.Confirm(t.Context(), h.undo)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", h.plan.Mechanism, seen)
	return h
}

// revert reverts and looks for residue.
func (h *held) revert(t testing.TB) fault.Outcome {
	t.Helper()
	out, err := h.target.Revert(t.Context(), h.undo, h.save)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := h.target.Residue(t.Context(), h.undo); err != nil || len(left) > 0 {
		t.Errorf("residue: %v, %v", left, err)
	}
	return out
}

// echoes is a service on the far side, and a connection to it.
func echoes(t testing.TB) (here, there nettest.Side) {
	t.Helper()
	here, there = nettest.Pair(t)
	there.Echo(t, 7000)
	return here, there
}

// dial is a connection of UDP from a side.
func dial(t testing.TB, s nettest.Side, addr string) net.Conn {
	t.Helper()
	c, err := s.Dial("udp", addr, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// trips are the sorted times of n round trips, one after the other. Those that are lost are missing.
func trips(t testing.TB, c net.Conn, n int) []time.Duration {
	t.Helper()
	var out []time.Duration
	b := make([]byte, 2000)
	for range n {
		began := time.Now()
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(began.Add(time.Second))
		_, err := c.Read(b)
		switch nerr := net.Error(nil); {
		case err == nil:
			out = append(out, time.Since(began))
		case !errors.As(err, &nerr):
			t.Fatal(err)
		}
	}
	slices.Sort(out)
	return out
}

// percentile of sorted times.
func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[(len(d)-1)*p/100]
}
