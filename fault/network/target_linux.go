package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nft"
	"github.com/belay-dr/belay/fault/network/shape"
)

// undo is all that is needed to take a cut back, and to see it.
type undo struct {
	Netns     netns.Ref     `json:"netns"`
	Filter    filter.Filter `json:"filter"`
	Mechanism string        `json:"mechanism"`
	// Table is the name of the packet filter table, and Made what became of it where it does not end with its holder.
	Table string    `json:"table,omitempty"`
	Made  *nft.Info `json:"made,omitempty"`
	// Reject and Forward are those of the partition. Reset says that it is a reset instead.
	Reject  bool `json:"reject,omitempty"`
	Forward bool `json:"forward,omitempty"`
	// Silent says that a program that sends is not told that its packets are dropped.
	Silent bool `json:"silent,omitempty"`
	Reset  bool `json:"reset,omitempty"`
	// Routes are those of a blackhole.
	Routes []route `json:"routes,omitempty"`
	// Connections are those that are to be reset once, as the kernel knows them.
	Connections [][]byte `json:"connections,omitempty"`
	// Ended is how many connections were reset at the injection.
	Ended int `json:"ended,omitempty"`
	// Witnesses answered before.
	Witnesses []witness `json:"witnesses"`
}

// cutter is a way to cut peers off.
type cutter interface {
	inject(u *undo, save func() error) error
	// seen are the packets that were cut off, and whether that is known.
	seen(u *undo) (packets uint64, known bool, err error)
	revert(ctx context.Context, u *undo) (fault.Outcome, error)
	residue(ctx context.Context, u *undo) ([]string, error)
}

// target cuts peers off.
type target struct {
	config *Network
	name   string
	action action
	// hand is what injected, in the process that did.
	hand cutter
}

func (n *Network) cutting(name string, a action) fault.Target {
	return &target{config: n, name: name, action: a}
}

// shaped is the target of an action that another package carries out.
func (n *Network) shaped(a action, s shape.Spec) fault.Target {
	return titled{shape.New(func(ctx context.Context) (shape.Place, error) { return n.find(ctx, a) }, s, shape.Best), s.String()}
}

// titled says in its plan what is done, and not only to whom.
type titled struct {
	fault.Target
	title string
}

// Plan is that of the target, with its title.
func (t titled) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	p, err := t.Target.Plan(ctx, ask)
	p.Target = t.title + " for " + p.Target
	return p, err
}

// Lost is that of the target, if it notices by itself.
func (t titled) Lost() <-chan struct{} {
	if w, ok := t.Target.(fault.Watched); ok {
		return w.Lost()
	}
	return nil
}

// Plan finds the place, chooses the way, and asks every peer for an answer.
func (t *target) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	place, err := t.config.find(ctx, t.action)
	if err != nil {
		return fault.Plan{}, err
	}
	u := undo{Netns: place.Netns, Filter: place.Filter, Table: "belay-" + ask.ID}
	p := fault.Plan{
		Target: fmt.Sprintf("%s of %s in %s", t.name, place.Filter, place.Netns.Name), Class: fault.SelfEnding, Fidelity: fault.Network,
		Claims: place.Claims, Radius: append(place.Radius, "every process in "+place.Netns.Name+" that talks to them"), Needs: []string{"CAP_NET_ADMIN", "CAP_NET_RAW"},
	}
	switch a := t.action.(type) {
	case *Partition:
		err = t.partition(a, &u, &p)
	case *Blackhole:
		u.Mechanism = byRoute
	case *Reset:
		err = t.reset(a, &u, &p)
	}
	if err != nil {
		return fault.Plan{}, err
	}
	if err := describe(&u, &p); err != nil {
		return fault.Plan{}, err
	}
	p.Mechanism = u.Mechanism
	if u.Mechanism != byEnding {
		if u.Witnesses, err = (seer{u.Netns, u.Filter}).witnesses(ctx); err != nil {
			return fault.Plan{}, err
		}
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// partition chooses the way.
func (t *target) partition(a *Partition, u *undo, p *fault.Plan) (err error) {
	if a.How == "blackhole" {
		u.Mechanism = byRoute
		return nil
	}
	u.Reject, u.Forward = a.How == "reject", a.Forward
	routable := !u.Reject && len(a.routable()) == 0
	able := able()
	if u.Mechanism, err = t.config.choose(able, routable); err != nil {
		return err
	}
	u.Silent = u.Mechanism == byOwned && able.silent && !u.Reject && u.Filter.Direction.Has(true) && u.Filter.Protocol != filter.TCP
	if u.Forward {
		p.Radius = append(p.Radius, "every host whose packets "+u.Netns.Name+" passes on to them")
	}
	return nil
}

// reset takes an owner table that goes on resetting, or only ends what there is.
func (t *target) reset(a *Reset, u *undo, p *fault.Plan) error {
	u.Reset, u.Reject = true, true
	if a.Once {
		u.Mechanism, p.Class = byEnding, fault.OneShot
		return planEnding(u, p)
	}
	able := able()
	if u.Mechanism = byOwned; able.owned != nil {
		return fmt.Errorf("to reset connections for a while an owner table is needed: %w; or say once: true", able.owned)
	}
	return nil
}

// describe says what the mechanism would change.
func describe(u *undo, p *fault.Plan) error {
	switch u.Mechanism {
	case byOwned, byPlain:
		return planTable(u, p)
	case byRoute:
		return planRoutes(u, p)
	}
	return nil
}

// cutterOf is a new one for an undo.
func cutterOf(u *undo) (cutter, error) {
	switch u.Mechanism {
	case byOwned:
		return &ownedTable{}, nil
	case byPlain:
		return plainTable{}, nil
	case byRoute:
		return routes{}, nil
	case byEnding:
		return ending{}, nil
	}
	return nil, fmt.Errorf("read undo: unknown mechanism %q", u.Mechanism)
}

// with reads the undo and calls f with what carries it out.
func (t *target) with(raw json.RawMessage, save fault.Save, f func(cutter, *undo, func() error) error) error {
	var u undo
	if err := json.Unmarshal(raw, &u); err != nil {
		return fmt.Errorf("read undo: %w", err)
	}
	if t.hand == nil {
		var err error
		if t.hand, err = cutterOf(&u); err != nil {
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

// Inject cuts.
func (t *target) Inject(_ context.Context, raw json.RawMessage, save fault.Save) error {
	return t.with(raw, save, func(c cutter, u *undo, save func() error) error { return c.inject(u, save) })
}

// Revert takes the cut back.
func (t *target) Revert(ctx context.Context, raw json.RawMessage, save fault.Save) (out fault.Outcome, err error) {
	err = t.with(raw, save, func(c cutter, u *undo, _ func() error) error {
		out, err = c.revert(ctx, u)
		return err
	})
	return out, err
}

// Residue looks for tables and routes.
func (t *target) Residue(ctx context.Context, raw json.RawMessage) (left []string, err error) {
	err = t.with(raw, nil, func(c cutter, u *undo, _ func() error) error {
		left, err = c.residue(ctx, u)
		return err
	})
	if errors.Is(err, netns.ErrGone) {
		return nil, nil // nothing is left in what does not exist
	}
	return left, err
}

// Confirm asks every witness again, from inside the namespace, and reads the counters of the rules.
func (t *target) Confirm(ctx context.Context, raw json.RawMessage) (text string, err error) {
	err = t.with(raw, nil, func(c cutter, u *undo, _ func() error) error {
		before, err := u.cutOff(ctx)
		if err != nil {
			return err
		}
		packets, known, err := c.seen(u)
		switch {
		case err != nil:
			return err
		case known && packets == 0 && len(u.Witnesses) > 0:
			return errors.New("no packet has met the rules")
		case known && len(u.Witnesses) > 0:
			before = append(before, count(int(packets), "packet was", "packets were")+" "+u.verb())
		}
		if u.Reset {
			before = append(before, count(u.Ended, "connection was ended", "connections were ended"))
		}
		text = strings.Join(before, "; ")
		return nil
	})
	return text, err
}

func (u *undo) verb() string {
	if u.Reject {
		return "rejected"
	}
	return "dropped"
}

// cutOff asks all witnesses at once. It is an error if one still answers.
func (u *undo) cutOff(ctx context.Context) ([]string, error) {
	errs := make([]error, len(u.Witnesses))
	each(len(errs), func(i int) { errs[i] = u.Witnesses[i].cutOff(ctx, u) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var out []string
	for _, w := range u.Witnesses {
		if w.How == silent {
			out = append(out, fmt.Sprintf("what is sent to %s meets the fault", w.Addr))
			continue
		}
		out = append(out, fmt.Sprintf("%s answered in %s before and does not now", w, w.Took.Round(10*time.Microsecond)))
	}
	return out, nil
}

// cutOff is nil if the witness does not answer any more.
func (w witness) cutOff(ctx context.Context, u *undo) error {
	bound := max(cutBound, 5*w.Took)
	how, took, err := w.try(ctx, u.Netns, bound)
	switch {
	case w.How == silent && u.Mechanism == byRoute && (err == nil || errors.Is(err, errSilent)):
		return fmt.Errorf("there is still a way to %s", w.Addr)
	case u.Mechanism == byRoute && isTimeout(err):
		return fmt.Errorf("%s does not answer, but not for want of a route", w)
	case err != nil, w.How == silent:
		return nil // its counter tells
	case u.Reject && how == refuses:
		return nil // the reset is ours, and its counter tells
	}
	return fmt.Errorf("%s still answers (after %s)", w, took.Round(10*time.Microsecond))
}

// isTimeout says that there was a way, and no answer. Only a counter can say that this is our doing.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// sorted names of peers, for sentences.
func peersOf(f filter.Filter) string {
	var out []string
	for _, p := range f.To {
		out = append(out, p.String())
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
