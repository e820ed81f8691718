package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// all is the kind of a group. No playbook may name it.
const all = "all"

// Group is one spec for several faults, so that one holder holds all that belong to one place: they begin in this order
// and end together.
func Group(specs []Spec) (Spec, error) {
	b, err := json.Marshal(specs)
	return Spec{Kind: all, Config: b}, err
}

// Members are the specs of a group, or the spec itself.
func (s Spec) Members() ([]Spec, error) {
	if s.Kind != all {
		return []Spec{s}, nil
	}
	var specs []Spec
	if err := json.Unmarshal(s.Config, &specs); err != nil {
		return nil, fmt.Errorf("read group of faults: %w", err)
	}
	return specs, nil
}

func (k Kinds) group(config json.RawMessage) (Target, error) {
	specs, err := Spec{Kind: all, Config: config}.Members()
	if err != nil {
		return nil, err
	}
	if len(specs) == 0 {
		return nil, errors.New("a group of faults has at least one")
	}
	var g group
	for n, s := range specs {
		if s.Kind == all {
			return nil, fmt.Errorf("fault %d of the group is a group itself", n+1)
		}
		t, err := k.Decode(s)
		if err != nil {
			return nil, fmt.Errorf("fault %d of the group: %w", n+1, err)
		}
		g = append(g, t)
	}
	return g, nil
}

// group breaks several things. Its undo is the list of their undos.
type group []Target

// Plan asks each, and refuses two that want the same thing.
func (g group) Plan(ctx context.Context, ask Ask) (Plan, error) {
	var p Plan
	var names []string
	undos := make([]json.RawMessage, len(g))
	oneShot, selfEnding := 0, 0
	p.KernelEnds, p.EndsThere = true, true
	for n, t := range g {
		a := ask
		a.ID = ask.ID + "-" + strconv.Itoa(n+1)
		one, err := t.Plan(ctx, a)
		if err != nil {
			return Plan{}, fmt.Errorf("fault %d of the group: %w", n+1, err)
		}
		if claim := Overlap(slices.Concat(one.Touches, one.Claims), slices.Concat(p.Touches, p.Claims)); claim != "" {
			return Plan{}, fmt.Errorf("fault %d of the group: another one of it has %s already", n+1, claim)
		}
		switch one.Class {
		case OneShot:
			oneShot++
		case SelfEnding:
			selfEnding++
		}
		undos[n] = one.Undo
		names = append(names, one.Target)
		p.merge(one)
	}
	p.Target = strings.Join(names, "; ")
	p.Class = Restore
	switch len(g) {
	case oneShot:
		p.Class = OneShot
	case selfEnding:
		p.Class = SelfEnding
	}
	var err error
	p.Undo, err = json.Marshal(undos)
	return p, err
}

// merge adds another plan to this one. The weakest fidelity counts.
func (p *Plan) merge(one Plan) {
	p.Changes = append(p.Changes, one.Changes...)
	p.Touches = append(p.Touches, one.Touches...)
	p.Claims = append(p.Claims, one.Claims...)
	p.Radius = append(p.Radius, one.Radius...)
	for _, need := range one.Needs {
		if !slices.Contains(p.Needs, need) {
			p.Needs = append(p.Needs, need)
		}
	}
	if !strings.Contains(p.Mechanism, one.Mechanism) {
		p.Mechanism = strings.TrimPrefix(p.Mechanism+", "+one.Mechanism, ", ")
	}
	if p.Production == "" {
		p.Production = one.Production
	}
	p.KernelEnds = p.KernelEnds && one.KernelEnds
	p.EndsThere = p.EndsThere && (one.EndsThere || !one.Elsewhere)
	p.Elsewhere = p.Elsewhere || one.Elsewhere
	if p.Fidelity == "" || one.Fidelity.Rank() < p.Fidelity.Rank() {
		p.Fidelity = one.Fidelity
	}
}

// undos reads the undo of a group.
func (g group) undos(undo json.RawMessage) ([]json.RawMessage, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(undo, &list); err != nil {
		return nil, fmt.Errorf("read undo: %w", err)
	}
	if len(list) != len(g) {
		return nil, fmt.Errorf("read undo: it is for %d faults and there are %d", len(list), len(g))
	}
	return list, nil
}

// saver keeps the undos of a group together. Members may save at the same time.
type saver struct {
	mu   sync.Mutex
	list []json.RawMessage
	save Save
}

func (s *saver) of(n int) Save {
	return func(undo json.RawMessage) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list[n] = slices.Clone(undo)
		b, err := json.Marshal(s.list)
		if err != nil {
			return err
		}
		return s.save(b)
	}
}

// at is the undo of one member as it is now.
func (s *saver) at(n int) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[n]
}

func (g group) Inject(ctx context.Context, undo json.RawMessage, save Save) error {
	list, err := g.undos(undo)
	if err != nil {
		return err
	}
	s := &saver{list: list, save: save}
	for n, t := range g {
		if err := t.Inject(ctx, s.at(n), s.of(n)); err != nil {
			return fmt.Errorf("fault %d of the group: %w", n+1, err)
		}
	}
	return nil
}

func (g group) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	list, err := g.undos(undo)
	if err != nil {
		return "", err
	}
	seen := make([]string, len(g))
	err = g.together(func(n int, t Target) (err error) {
		seen[n], err = t.Confirm(ctx, list[n])
		return err
	})
	return strings.Join(seen, "; "), err
}

// Revert takes all back at the same time: their plans had nothing in common.
func (g group) Revert(ctx context.Context, undo json.RawMessage, save Save) (Outcome, error) {
	list, err := g.undos(undo)
	if err != nil {
		return Outcome{}, err
	}
	s := &saver{list: list, save: save}
	outs := make([]Outcome, len(g))
	err = g.together(func(n int, t Target) (err error) {
		outs[n], err = t.Revert(ctx, s.at(n), s.of(n))
		return err
	})
	var out Outcome
	for _, o := range outs {
		out.Superseded = append(out.Superseded, o.Superseded...)
		out.Kept = append(out.Kept, o.Kept...)
		out.Lost = out.Lost || o.Lost
	}
	return out, err
}

func (g group) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	list, err := g.undos(undo)
	if err != nil {
		return nil, err
	}
	left := make([][]string, len(g))
	err = g.together(func(n int, t Target) (err error) {
		left[n], err = t.Residue(ctx, list[n])
		return err
	})
	return slices.Concat(left...), err
}

// Lost is closed when one of them is lost.
func (g group) Lost() <-chan struct{} {
	out := make(chan struct{})
	var once sync.Once
	for _, t := range g {
		if w, ok := t.(Watched); ok {
			if lost := w.Lost(); lost != nil {
				go func() { <-lost; once.Do(func() { close(out) }) }()
			}
		}
	}
	return out
}

// Discard asks each member that can. Nobody else knows whose originals they are.
func (g group) Discard(ctx context.Context, undo json.RawMessage, kept []string) ([]string, error) {
	list, err := g.undos(undo)
	if err != nil {
		return nil, err
	}
	var out []string
	var errs []error
	for n, t := range g {
		if d, ok := t.(Discarder); ok {
			gone, err := d.Discard(ctx, list[n], kept)
			out = append(out, gone...)
			errs = append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}

// together does the same to all at once and waits for all.
func (g group) together(do func(int, Target) error) error {
	errs := make([]error, len(g))
	var wg sync.WaitGroup
	for n, t := range g {
		wg.Go(func() {
			if err := do(n, t); err != nil {
				errs[n] = fmt.Errorf("fault %d of the group: %w", n+1, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
