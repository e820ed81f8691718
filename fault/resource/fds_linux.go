package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

func (f *FDExhaustion) target() fault.Target { return fds{f} }

// fds lowers the soft limit of open descriptors. The hard limit stays as it is: nobody could raise it again.
type fds struct{ *FDExhaustion }

// fdUndo is all that a stranger needs to take it back.
type fdUndo struct {
	Victims []fdVictim `json:"victims"`
}

type fdVictim struct {
	proc.Process
	// Old and New are the soft limit before and under the fault; New is not known before the injection.
	Old uint64  `json:"old"`
	New *uint64 `json:"new,omitempty"`
	// Session is the one that it is in, and Own are those around it that had the new limit before the fault.
	Session int            `json:"session,omitempty"`
	Own     []proc.Process `json:"own,omitempty"`
}

func readFDs(undo json.RawMessage) (fdUndo, error) {
	var u fdUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (f fds) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	found, err := f.Victims.find()
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{Class: fault.Restore, Fidelity: fault.Process, Mechanism: "prlimit"}
	var u fdUndo
	for _, i := range found {
		now, err := softLimit(i.PID)
		if errors.Is(err, unix.EPERM) {
			return fault.Plan{}, fmt.Errorf("the limits of %s cannot be changed by us: it needs the same user, or CAP_SYS_RESOURCE", i)
		}
		if err != nil {
			return fault.Plan{}, err
		}
		most, open, err := f.limit(i.PID)
		if err != nil {
			return fault.Plan{}, err
		}
		if most >= now.Cur {
			return fault.Plan{}, fmt.Errorf("%s may open no more than %d already: ask for fewer than leave: %d", i, now.Cur, f.Leave)
		}
		u.Victims = append(u.Victims, fdVictim{Process: i.Process, Old: now.Cur})
		p.Changes = append(p.Changes, fmt.Sprintf("lower the limit of open descriptors of %s from %d to %d; it has %d open", i, now.Cur, most, open))
		p.Claims = append(p.Claims, fmt.Sprintf("descriptors of process %d", i.PID))
		p.Radius = append(p.Radius, fmt.Sprintf("%s: %d of %d descriptors stay free", i, f.Leave, now.Cur-uint64(min(open, int(now.Cur)))))
	}
	p.Target = "descriptors of " + names(found)
	p.Undo, err = json.Marshal(u)
	return p, err
}

// softLimit reads both limits; it needs the same rights as changing them.
func softLimit(pid int) (unix.Rlimit, error) {
	var now unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now)
	if errors.Is(err, unix.ESRCH) {
		return now, proc.ErrGone
	}
	if err != nil {
		return now, fmt.Errorf("read limits of process %d: %w", pid, err)
	}
	return now, nil
}

// limit is the highest limit below which exactly so many numbers are free as are to be left, and how many are open now.
func (f fds) limit(pid int) (most uint64, open int, err error) {
	taken, err := openFDs(pid)
	if err != nil {
		return 0, 0, err
	}
	free := 0
	for n := uint64(0); ; n++ {
		if taken[n] {
			continue
		}
		if free == f.Leave {
			return n, len(taken), nil
		}
		free++
	}
}

// openFDs are the descriptors of a process.
func openFDs(pid int) (map[uint64]bool, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, proc.ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("list descriptors of process %d: %w", pid, err)
	}
	out := map[uint64]bool{}
	for _, e := range entries {
		n, err := strconv.ParseUint(e.Name(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("list descriptors of process %d: %w", pid, err)
		}
		out[n] = true
	}
	return out, nil
}

// Inject looks again what is open, and saves the limit before it sets it.
func (f fds) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readFDs(undo)
	if err != nil {
		return err
	}
	for n := range u.Victims {
		v := &u.Victims[n]
		most, _, err := f.limit(v.PID)
		if err == nil {
			_, err = proc.Find(v.Process)
		}
		if err != nil {
			return fmt.Errorf("process %d: %w", v.PID, err)
		}
		if most >= v.Old {
			return fmt.Errorf("process %d may open no more than %d already", v.PID, v.Old)
		}
		v.New = &most
		v.Session, _ = unix.Getsid(v.PID)
		if v.Own, err = v.limited(most); err != nil {
			return err
		}
	}
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(b); err != nil {
		return err
	}
	for _, v := range u.Victims {
		if _, err := v.change(v.Old, *v.New); err != nil {
			return err
		}
	}
	return nil
}

// change sets the soft limit if it is still the one it should be, and else says which it is.
func (v fdVictim) change(from, to uint64) (other *uint64, err error) {
	if _, err := proc.Find(v.Process); err != nil {
		return nil, fmt.Errorf("process %d: %w", v.PID, err)
	}
	now, err := softLimit(v.PID)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", v.PID, err)
	}
	if now.Cur != from {
		return &now.Cur, nil
	}
	err = unix.Prlimit(v.PID, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(to, now.Max), Max: now.Max}, nil)
	if errors.Is(err, unix.ESRCH) {
		err = proc.ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("set limits of process %d: %w", v.PID, err)
	}
	return nil, nil
}

func (f fds) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readFDs(undo)
	if err != nil {
		return "", err
	}
	var seen []string
	for _, v := range u.Victims {
		i, err := proc.Find(v.Process)
		if err != nil {
			return "", fmt.Errorf("process %d: %w", v.PID, err)
		}
		now, err := limitSeen(v.PID)
		if err != nil {
			return "", err
		}
		if v.New == nil || now != *v.New {
			return "", fmt.Errorf("%s has the limit %d still", i, now)
		}
		taken, err := openFDs(v.PID)
		if err != nil {
			return "", err
		}
		free := 0
		for n := range now {
			if !taken[n] {
				free++
			}
		}
		seen = append(seen, fmt.Sprintf("%s has %d descriptors open and can open %d more (limit %d, was %d)", i, len(taken), free, now, v.Old))
	}
	return strings.Join(seen, ", "), nil
}

// limitSeen is the soft limit as everybody can read it.
func limitSeen(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0, fmt.Errorf("read limits of process %d: %w", pid, err)
	}
	_, rest, _ := strings.Cut(string(b), "Max open files")
	f := strings.Fields(rest)
	if len(f) < 1 {
		return 0, fmt.Errorf("read limits of process %d: they do not say open files", pid)
	}
	return strconv.ParseUint(f[0], 10, 64)
}

// Revert gives the limits back, also to what was started under them.
func (f fds) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readFDs(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	var out fault.Outcome
	var errs []error
	for _, v := range u.Victims {
		if v.New == nil {
			continue
		}
		other, err := v.change(*v.New, v.Old)
		switch {
		case errors.Is(err, proc.ErrGone):
			out.Superseded = append(out.Superseded, fmt.Sprintf("process %d has ended or was replaced since its limit was lowered", v.PID))
		case err != nil:
			errs = append(errs, err)
		case other != nil && *other != v.Old:
			out.Superseded = append(out.Superseded, fmt.Sprintf("the limit of process %d was changed to %d since", v.PID, *other))
		}
		errs = append(errs, v.heal(ctx))
	}
	return out, errors.Join(errs...)
}

func (f fds) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readFDs(undo)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, v := range u.Victims {
		if v.New == nil {
			continue
		}
		heirs, err := v.heirs()
		if err != nil {
			return nil, err
		}
		for _, p := range heirs {
			left = append(left, fmt.Sprintf("process %d, which process %d started under the fault, still may have no more than %d descriptors", p.PID, v.PID, *v.New))
		}
		if _, err := proc.Find(v.Process); err != nil {
			continue
		}
		now, err := softLimit(v.PID)
		if errors.Is(err, proc.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if now.Cur == *v.New {
			left = append(left, fmt.Sprintf("process %d still may have no more than %d descriptors", v.PID, now.Cur))
		}
	}
	return left, nil
}
