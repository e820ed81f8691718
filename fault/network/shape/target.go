package shape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/shape/wire"
)

// Spec says how bad a line is.
type Spec = wire.Spec

// Place is where a line is made bad, and for which packets.
type Place struct {
	Netns  netns.Ref
	Filter filter.Filter
	// Claims and Radius go into the plan.
	Claims, Radius []string
}

// Find looks for the place when a fault is planned, and refuses what must not be touched.
type Find func(ctx context.Context) (Place, error)

// Engine is how it is done.
type Engine string

// The engines. Best is netem where that can do it, and the queue else.
const (
	Best  Engine = ""
	Netem Engine = "netem"
	Queue Engine = "queue"
)

// New is a fault that makes a line bad. The engine is Best but for those who know that they want another. The spec has
// been checked.
func New(find Find, spec Spec, engine Engine) fault.Target {
	return &target{find: find, spec: spec, engine: engine}
}

// mechanism is an engine at work.
type mechanism interface {
	inject(ctx context.Context, u *undo, save func() error) error
	// counts are the packets that were seen since the injection, and how many of them it happened to.
	counts(ctx context.Context, u *undo) (counts, error)
	revert(ctx context.Context, u *undo, save func() error) (fault.Outcome, error)
	residue(ctx context.Context, u *undo) ([]string, error)
}

// counts are what an engine has seen.
type counts struct {
	Seen uint64
	// Hit is to how many something happened besides coming later. Known says that the engine can tell.
	Hit   uint64
	Known bool
	// Text is the counts for a person.
	Text string
}

// undo is all that is needed to take the fault back, and to see its effect.
type undo struct {
	Engine Engine        `json:"engine"`
	Netns  netns.Ref     `json:"netns"`
	Filter filter.Filter `json:"filter"`
	Spec   Spec          `json:"spec"`
	// Probes are how the peers answered before.
	Probes []probe     `json:"probes,omitempty"`
	Queue  *queueUndo  `json:"queue,omitempty"`
	Lines  []netemUndo `json:"lines,omitempty"`
}

// queueUndo is what the packet queue leaves only while its process lives.
type queueUndo struct {
	Table string `json:"table"`
	// Old says that the kernel knows the queue by the rules of iptables only.
	Old bool `json:"old,omitempty"`
	// Split says that IPv4 and IPv6 have a table each.
	Split bool `json:"split,omitempty"`
}

// netemUndo is one interface whose queueing discipline is replaced.
type netemUndo struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	// Before are the queueing disciplines that the kernel had given it.
	Before string `json:"before"`
	// Handle is that of ours, and After is how it looked when it was in place; empty before.
	Handle uint16 `json:"handle"`
	After  string `json:"after,omitempty"`
	// Taken says that we have begun to take it away.
	Taken bool `json:"taken,omitempty"`
}

type target struct {
	find   Find
	spec   Spec
	engine Engine
	// hand is the engine that injected, in the process that did.
	hand mechanism
}

// errEmpty says that the filter is about nothing.
var errEmpty = errors.New("no peer is named")

// Plan finds the place, asks its peers for an answer, and chooses the engine.
func (t *target) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	place, err := t.find(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	if len(place.Filter.To) == 0 {
		return fault.Plan{}, errEmpty
	}
	p := fault.Plan{
		Target:   fmt.Sprintf("%s in %s", place.Filter, place.Netns.Name),
		Fidelity: fault.Network,
		Claims:   place.Claims,
		Radius:   append(place.Radius, "every process in "+place.Netns.Name+" that talks to "+names(place.Filter)),
		Needs:    []string{"CAP_NET_ADMIN", "CAP_NET_RAW"},
	}
	u := undo{Netns: place.Netns, Filter: place.Filter, Spec: t.spec}
	if err := choose(ctx, t.engine, ask.ID, &u, &p); err != nil {
		return fault.Plan{}, err
	}
	if u.Probes, err = look(ctx, place); err != nil {
		return fault.Plan{}, err
	}
	if place.Filter.Direction == filter.Both {
		p.Changes = append(p.Changes, "in each direction by itself, so that a round trip feels it twice")
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// names are the peers of a filter in a phrase.
func names(f filter.Filter) string {
	text := ""
	for i, p := range f.To {
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text
}

// Inject makes the line bad.
func (t *target) Inject(ctx context.Context, raw json.RawMessage, save fault.Save) error {
	return t.with(raw, save, func(m mechanism, u *undo, save func() error) error { return m.inject(ctx, u, save) })
}

// Revert makes the line good again.
func (t *target) Revert(ctx context.Context, raw json.RawMessage, save fault.Save) (out fault.Outcome, err error) {
	err = t.with(raw, save, func(m mechanism, u *undo, save func() error) error {
		out, err = m.revert(ctx, u, save)
		return err
	})
	return out, err
}

// Residue looks for the rules, the queue or the queueing discipline of this fault.
func (t *target) Residue(ctx context.Context, raw json.RawMessage) (left []string, err error) {
	err = t.with(raw, nil, func(m mechanism, u *undo, _ func() error) error {
		left, err = m.residue(ctx, u)
		return err
	})
	return left, err
}

// with reads the undo and calls f with the engine that made it.
func (t *target) with(raw json.RawMessage, save fault.Save, f func(mechanism, *undo, func() error) error) error {
	var u undo
	if err := json.Unmarshal(raw, &u); err != nil {
		return fmt.Errorf("read undo: %w", err)
	}
	if t.hand == nil {
		var err error
		if t.hand, err = mechanismOf(u.Engine); err != nil {
			return err
		}
	}
	return f(t.hand, &u, func() error {
		b, err := json.Marshal(u)
		if err != nil {
			return err
		}
		return save(b)
	})
}
