package resource

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/belay-dr/belay/fault/proc"
)

// find returns the processes and refuses those that must not be hit.
func (v Victims) find() ([]proc.Info, error) {
	pids := []int{v.PID}
	if v.PIDFile != "" {
		var err error
		if pids, err = proc.ReadPIDFile(v.PIDFile); err != nil {
			return nil, err
		}
	}
	if limit := max(1, v.Max); len(pids) > limit {
		return nil, fmt.Errorf("%s names %d processes and max is %d: raise max if all are meant", v.PIDFile, len(pids), limit)
	}
	own, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return nil, err
	}
	out := make([]proc.Info, len(pids))
	for n, pid := range pids {
		if out[n], err = v.look(pid, own); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// look refuses one process that must not be hit.
func (v Victims) look(pid int, own []int) (proc.Info, error) {
	if pid <= 1 {
		return proc.Info{}, fmt.Errorf("process %d is never hit", pid)
	}
	i, err := proc.Look(pid)
	switch {
	case errors.Is(err, proc.ErrGone) || err == nil && i.Over():
		return i, fmt.Errorf("process %d does not run", pid)
	case err != nil:
		return i, err
	case slices.Contains(own, pid):
		return i, fmt.Errorf("%s is this fault's own holder or one of those that started it", i)
	case i.UID != os.Geteuid() && os.Geteuid() != 0:
		return i, fmt.Errorf("%s belongs to user %d, not to us (%d): run as that user, or as root", i, i.UID, os.Geteuid())
	case i.UID != os.Geteuid() && !v.AnyUser:
		return i, fmt.Errorf("%s belongs to user %d: say any_user: true if root may hit it", i, i.UID)
	}
	return i, nil
}
