package clock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
	"github.com/belay-dr/belay/fault/process"
)

// target shifts the clock of one process.
type target struct {
	victim process.Victim
	shift  time.Duration
}

// undo is enough before anything is written: it has the old bytes and the new ones.
type undo struct {
	Victim  proc.Process `json:"victim"`
	Area    area         `json:"area"`
	Patches []patch      `json:"patches"`
	Shift   string       `json:"shift"`
}

func readUndo(b json.RawMessage) (u undo, err error) {
	if err := json.Unmarshal(b, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (t *target) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	found, err := t.victim.Find()
	if err != nil {
		return fault.Plan{}, err
	}
	i := found[0]
	if i.State == proc.Stopped || i.State == proc.Traced {
		return fault.Plan{}, fmt.Errorf("%s is stopped or traced already: `belay fault list` shows whether a fault holds it", i)
	}
	if err := trace.Permitted(i.Process); err != nil {
		return fault.Plan{}, err
	}
	u := undo{Victim: i.Process, Shift: signed(t.shift)}
	if u.Area, u.Patches, err = patches(i.PID, t.shift); err != nil {
		return fault.Plan{}, err
	}
	for _, p := range u.Patches {
		// The first instruction of ours is the number of a system call, which no kernel's own function begins with.
		if bytes.Equal(p.Old[:7], p.New[:7]) {
			return fault.Plan{}, fmt.Errorf("the clock of %s is shifted already", i)
		}
	}
	p := fault.Plan{
		Target: fmt.Sprintf("the clock of %s, %s", i, u.Shift), Class: fault.Restore, Fidelity: fault.Process, Mechanism: "vDSO patch",
		// The whole process: one that is stopped, frozen or traced by another fault could not be given its own clock back.
		Claims: []string{fmt.Sprintf("process %d", i.PID)},
		Needs:  []string{"the process's own user, or CAP_SYS_PTRACE"},
		Radius: []string{"the wall clock of this process and of those that it forks; not its timers, and not what it asks the kernel for by a system call"},
	}
	for _, c := range u.Patches {
		p.Changes = append(p.Changes, fmt.Sprintf("write %d bytes over %s of %s", len(c.New), c.Name, i))
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (t *target) Inject(ctx context.Context, b json.RawMessage, _ fault.Save) error {
	u, err := readUndo(b)
	if err != nil {
		return err
	}
	return exchange(ctx, u.Victim, u.Area, u.Patches, false)
}

// Confirm reads the bytes again and watches the process ask for the time.
func (t *target) Confirm(ctx context.Context, b json.RawMessage) (string, error) {
	u, err := readUndo(b)
	if err != nil {
		return "", err
	}
	at := uint64(0)
	for _, p := range u.Patches {
		if now, err := readMemory(u.Victim.PID, p.At, len(p.New)); err != nil || !bytes.Equal(now, p.New) {
			return "", errors.Join(fmt.Errorf("%s of process %d is not what was written", p.Name, u.Victim.PID), err)
		}
		if p.Name == main {
			at = p.At
		}
	}
	s, err := watch(ctx, u.Victim, u.Area, at, t.shift)
	switch {
	case err != nil:
		return "", err
	case s.told:
		return fmt.Sprintf("process %d asked for the time, and was told one %s from ours", u.Victim.PID, signed(s.ahead.Round(time.Millisecond))), nil
	case s.calls > 0:
		return fmt.Sprintf("process %d asked for the time %d times through what was written, which adds %s", u.Victim.PID, s.calls, u.Shift), nil
	}
	return fmt.Sprintf("the functions of process %d are those that were written; it did not ask for the time within %s", u.Victim.PID, watching), nil
}

// Revert writes the old bytes back where ours still are: in the process, and in those that it forked meanwhile.
func (t *target) Revert(ctx context.Context, b json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readUndo(b)
	if err != nil {
		return fault.Outcome{}, err
	}
	out, err := u.back(ctx)
	return out, errors.Join(err, u.heal(ctx))
}

// back is the process itself.
func (u undo) back(ctx context.Context) (out fault.Outcome, err error) {
	gone := fault.Outcome{Superseded: []string{fmt.Sprintf("process %d has ended or was replaced since its clock was shifted", u.Victim.PID)}}
	if _, err := proc.Find(u.Victim); err != nil {
		if errors.Is(err, proc.ErrGone) {
			return gone, nil
		}
		return out, err
	}
	ours, theirs := u.look(u.Victim.PID)
	if theirs {
		if _, err := proc.Find(u.Victim); errors.Is(err, proc.ErrGone) {
			return gone, nil
		}
		out.Superseded = append(out.Superseded, fmt.Sprintf("process %d runs another program now, or somebody else changed its vDSO", u.Victim.PID))
	}
	if !ours {
		return out, nil
	}
	if err := exchange(ctx, u.Victim, u.Area, u.Patches, true); errors.Is(err, proc.ErrGone) {
		return gone, nil
	} else if err != nil {
		return out, err
	}
	return out, nil
}

// look says whether any of our bytes, and any that are neither ours nor the old ones, are in a process.
func (u undo) look(pid int) (ours, theirs bool) {
	for _, p := range u.Patches {
		now, err := readMemory(pid, p.At, len(p.New))
		switch {
		case err == nil && bytes.Equal(now, p.New):
			ours = true
		case err != nil || !bytes.Equal(now, p.Old):
			theirs = true
		}
	}
	return ours, theirs
}

// heirs are the processes that were forked with our bytes in them. They have their vDSO at the very same place.
func (u undo) heirs() ([]proc.Process, error) {
	all, err := proc.All()
	if err != nil {
		return nil, err
	}
	var out []proc.Process
	for _, i := range all {
		if i.Kernel || i.Over() || i.Process == u.Victim {
			continue
		}
		if a, err := findArea(i.PID); err != nil || a != u.Area {
			continue
		}
		if ours, _ := u.look(i.PID); ours {
			out = append(out, i.Process)
		}
	}
	return out, nil
}

// heal goes on until there is no heir: one may have been forked while another was healed.
func (u undo) heal(ctx context.Context) error {
	for ctx.Err() == nil {
		list, err := u.heirs()
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := exchange(ctx, p, u.Area, u.Patches, true); err != nil && !errors.Is(err, proc.ErrGone) {
				return err
			}
		}
	}
	return ctx.Err()
}

func (t *target) Residue(_ context.Context, b json.RawMessage) ([]string, error) {
	u, err := readUndo(b)
	if err != nil || u.Victim.Boot != proc.BootID() {
		return nil, err
	}
	list, err := u.heirs()
	if err != nil {
		return nil, err
	}
	if _, err := proc.Find(u.Victim); err == nil {
		if ours, _ := u.look(u.Victim.PID); ours {
			list = append(list, u.Victim)
		}
	}
	var left []string
	for _, p := range list {
		left = append(left, fmt.Sprintf("the clock of process %d is still shifted", p.PID))
	}
	return left, nil
}
