package resource

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// family are the processes that a victim has started, with all that they have started, and those of its session: a process
// that was started under the fault has its limit by inheritance.
func (v fdVictim) family() ([]proc.Process, error) {
	all, err := proc.All()
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, i := range all {
		parents[i.PID] = i.Parent
	}
	below := func(pid int) bool {
		for range len(all) {
			if pid = parents[pid]; pid == v.PID {
				return true
			}
			if pid <= 1 {
				return false
			}
		}
		return false
	}
	// The victim may have ended, and its ID be another's.
	_, err = proc.Find(v.Process)
	runs := err == nil
	var out []proc.Process
	for _, i := range all {
		if i.Kernel || i.Over() || i.PID == v.PID {
			continue
		}
		session, err := unix.Getsid(i.PID)
		if err == nil && v.Session > 1 && session == v.Session || runs && below(i.PID) {
			out = append(out, i.Process)
		}
	}
	return out, nil
}

// limited are those of the family whose limit is this one.
func (v fdVictim) limited(limit uint64) ([]proc.Process, error) {
	all, err := v.family()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p proc.Process) bool {
		now, err := limitSeen(p.PID)
		return err != nil || now != limit // one that has ended has no limit
	}), nil
}

// heirs have the limit of the fault, and did not have it before.
func (v fdVictim) heirs() ([]proc.Process, error) {
	if v.New == nil {
		return nil, nil
	}
	all, err := v.limited(*v.New)
	return slices.DeleteFunc(all, func(p proc.Process) bool { return slices.Contains(v.Own, p) }), err
}

// heal gives the heirs the limit that they would have inherited. One may start another one meanwhile: it goes on until there is none.
func (v fdVictim) heal(ctx context.Context) error {
	for range 1000 {
		list, err := v.heirs()
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			heir := fdVictim{Process: p}
			if _, err := heir.change(*v.New, v.Old); err != nil && !errors.Is(err, proc.ErrGone) {
				return fmt.Errorf("it was started by process %d under the fault: %w", v.PID, err)
			}
		}
	}
	return fmt.Errorf("process %d starts others faster than they get their limit back", v.PID)
}
