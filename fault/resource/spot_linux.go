package resource

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// spot is the cgroup that a config means.
type spot struct {
	// base is the group that is limited or, when the victims get one of their own, the group in which that is made.
	base cgroup.Group
	// from is the group that the victims are in.
	from  cgroup.Group
	alone bool
	// victims are those that were chosen by process, and inside is who is in the group.
	victims []proc.Info
	inside  []int
}

// find looks for the cgroup and refuses what must not be limited.
func (w Where) find(c cgroup.Controller) (spot, error) {
	var s spot
	var err error
	switch {
	case w.Cgroup != "":
		s.from, err = cgroup.At(w.Cgroup, c)
	case w.whole != 0:
		var i proc.Info
		if i, err = proc.Look(w.whole); err == nil {
			s.from, err = cgroup.Of(i.Process, c)
		}
	default:
		if s.victims, err = w.Victims.find(); err == nil {
			s.from, err = sharedGroup(s.victims, c)
		}
	}
	if err != nil {
		return s, err
	}
	s.base, s.alone = s.from, w.Alone
	if s.alone {
		s.base, err = placeFor(s.from, c)
		return s, err
	}
	if s.from.Root() {
		if len(s.victims) > 0 {
			return s, fmt.Errorf("%s is in the root cgroup, which cannot be limited: say alone: true to give it one of its own", s.victims[0])
		}
		return s, fmt.Errorf("%s is the root, which cannot be limited: name one below it", s.from)
	}
	if s.inside, err = s.from.All(); err != nil {
		return s, err
	}
	return s, w.allowed(s)
}

// allowed refuses a group without a process, with our own, or with more than may be hit.
func (w Where) allowed(s spot) error {
	if len(s.inside) == 0 {
		return fmt.Errorf("%s has no process: a limit there would limit nothing", s.from)
	}
	if err := notOurs(s.from, s.inside); err != nil {
		return err
	}
	limit := w.Max
	if len(s.victims) > 0 {
		limit = max(1, limit)
	}
	if limit == 0 || len(s.inside) <= limit {
		return nil
	}
	if len(s.victims) > 0 {
		return fmt.Errorf("%s shares %s with %d others and max is %d: say max: %d, or alone: true to give it a cgroup of its own",
			s.victims[0], s.from, len(s.inside)-1, limit, len(s.inside))
	}
	return fmt.Errorf("%s has %d processes and max is %d: raise max if all are meant", s.from, len(s.inside), limit)
}

// notOurs refuses a group that holds this process or one that it descends from.
func notOurs(g cgroup.Group, inside []int) error {
	own, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return err
	}
	for _, pid := range own {
		if slices.Contains(inside, pid) {
			return fmt.Errorf("%s holds this fault's own holder or one of those that started it (process %d)", g, pid)
		}
	}
	return nil
}

// sharedGroup is the group of all the victims.
func sharedGroup(victims []proc.Info, c cgroup.Controller) (cgroup.Group, error) {
	var out cgroup.Group
	for n, v := range victims {
		g, err := cgroup.Of(v.Process, c)
		if err != nil {
			return g, err
		}
		if n > 0 && g != out {
			return g, fmt.Errorf("%s and %s are in two cgroups: limit one after the other", victims[0], v)
		}
		out = g
	}
	return out, nil
}

// placeFor is where a group for some of the processes of this one can be made. In version 1 that is below it, so that
// all limits go on. In version 2 a group with processes has no limited groups below it, so it is beside it.
func placeFor(from cgroup.Group, c cgroup.Controller) (cgroup.Group, error) {
	if !from.V2 {
		return from, nil
	}
	base, err := from.Parent()
	if err != nil {
		return base, err
	}
	on, err := base.Read("cgroup.subtree_control")
	if err != nil {
		return base, err
	}
	if !slices.Contains(strings.Fields(on), string(c)) {
		return base, fmt.Errorf("%s does not give its groups the %s controller: echo +%s > %s/cgroup.subtree_control", base, c, c, base.Path)
	}
	return base, nil
}

// radius says who feels it.
func (s spot) radius() []string {
	if s.alone {
		return []string{fmt.Sprintf("%s and what it starts from now on", names(s.victims))}
	}
	if len(s.inside) == 1 {
		return []string{"1 process in " + s.from.String()}
	}
	return []string{fmt.Sprintf("%d processes in %s", len(s.inside), s.from)}
}

func names(victims []proc.Info) string {
	out := make([]string, len(victims))
	for n, v := range victims {
		out[n] = v.String()
	}
	return strings.Join(out, ", ")
}

// chain is a group and those above it, without the root.
func chain(g cgroup.Group) ([]cgroup.Group, error) {
	var out []cgroup.Group
	for !g.Root() {
		out = append(out, g)
		var err error
		if g, err = g.Parent(); err != nil {
			return nil, err
		}
		if len(out) > 100 {
			return nil, errors.New("cgroups are nested too deep")
		}
	}
	return out, nil
}
