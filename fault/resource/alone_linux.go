package resource

import (
	"errors"
	"fmt"
	"os"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// alone is a cgroup that is made for some processes and removed with the fault.
type alone struct {
	// Base is where it is made, and From is where the victims were.
	Base    cgroup.Group   `json:"base"`
	From    cgroup.Group   `json:"from"`
	Victims []proc.Process `json:"victims"`
	// Controller is the one for whose sake it is made.
	Controller cgroup.Controller `json:"controller"`
}

// allowed refuses when the group cannot be made or the victims cannot be moved.
func (a *alone) allowed(ours cgroup.Group) error {
	if _, err := os.Lstat(ours.Path); err == nil {
		return fmt.Errorf("%s is in the way", ours)
	}
	if !a.Base.Writable(".") || !a.From.Writable("cgroup.procs") || !a.Base.Writable("cgroup.procs") {
		return fmt.Errorf("%s cannot be changed by us: run as root, or limit a cgroup that was delegated to you", a.Base)
	}
	return nil
}

// moveIn moves the victims that are still where they were.
func (a *alone) moveIn(ours cgroup.Group) error {
	for _, v := range a.Victims {
		if _, err := proc.Find(v); err != nil {
			return fmt.Errorf("process %d: %w", v.PID, err)
		}
		if err := ours.Add(v.PID); err != nil {
			return fmt.Errorf("move process %d to %s: %w", v.PID, ours, err)
		}
	}
	return nil
}

// made finds our group again: its name has the fault's ID, and its inode was saved before anything was moved there.
func (a *alone) made(ours cgroup.Group) (cgroup.Group, bool) {
	if ours.Inode == 0 {
		if !a.Base.There() {
			return ours, false
		}
		groups, err := a.Base.Below()
		if err != nil {
			return ours, false
		}
		for _, g := range groups {
			if g.Path == ours.Path {
				return g, true
			}
		}
		return ours, false
	}
	return ours, ours.There()
}

// moveOut moves everything in our group back, children that were started meanwhile too, and removes it.
func (a *alone) moveOut(ours cgroup.Group) (fault.Outcome, error) {
	var out fault.Outcome
	for _, v := range a.Victims {
		if why := a.moved(v, ours); why != "" {
			out.Superseded = append(out.Superseded, why)
		}
	}
	ours, there := a.made(ours)
	if !there {
		return out, nil
	}
	home := a.From
	if !home.There() {
		out.Superseded = append(out.Superseded, home.String()+" is gone, so the processes are in "+a.Base.String()+" now")
		home = a.Base
	}
	// Processes may start others while they are moved: go on until none is left.
	for range 1000 {
		pids, err := ours.Procs()
		if err != nil && !errors.Is(err, cgroup.ErrGone) {
			return out, err
		}
		if len(pids) == 0 {
			return out, ours.Remove()
		}
		for _, pid := range pids {
			if err := home.Add(pid); err != nil && !errors.Is(err, proc.ErrGone) {
				return out, fmt.Errorf("move process %d back to %s: %w", pid, home, err)
			}
		}
	}
	return out, fmt.Errorf("%s never gets empty", ours)
}

// moved says what somebody else did with a victim since it was moved.
func (a *alone) moved(v proc.Process, ours cgroup.Group) string {
	if gone(v) {
		return fmt.Sprintf("process %d has ended or was replaced since it was limited", v.PID)
	}
	now, err := cgroup.Of(v, a.Controller)
	if err != nil || now == a.From || now.Path == ours.Path || !a.From.There() && now == a.Base {
		return ""
	}
	return fmt.Sprintf("process %d was moved to %s since", v.PID, now)
}

// left says whether our group is still there.
func (a *alone) left(ours cgroup.Group) ([]string, error) {
	if g, there := a.made(ours); there {
		return []string{g.String()}, nil
	}
	return nil, nil
}
