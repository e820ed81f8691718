package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
)

// pause is the fault that stops processes for as long as their tracer lives, which is a thread of the holder.
type pause struct {
	Victim
	orStop bool
	hold   *trace.Hold
}

func (p *pause) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	plan, err := p.plan(fault.SelfEnding, "pause every thread of", "ptrace")
	if err != nil {
		return plan, err
	}
	plan.KernelEnds = true
	u, err := readUndo(plan.Undo)
	if err != nil {
		return plan, err
	}
	for _, v := range u.Victims {
		err := trace.Permitted(v)
		switch {
		case err == nil:
		case errors.Is(err, trace.ErrNotPermitted) && p.orStop:
			u.Signal = true
			plan.Class, plan.KernelEnds, plan.Mechanism = fault.Restore, false, "SIGSTOP, because "+err.Error()
		case errors.Is(err, trace.ErrNotPermitted):
			return fault.Plan{}, fmt.Errorf("%w; or_stop: true would take SIGSTOP instead, which needs the reaper to end it", err)
		default:
			return fault.Plan{}, err
		}
	}
	plan.Undo, err = json.Marshal(u)
	return plan, err
}

func (p *pause) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readUndo(undo)
	if err != nil {
		return err
	}
	if u.Signal {
		return signalAll(undo, unix.SIGSTOP)
	}
	if p.hold, err = trace.Seize(ctx, u.Victims...); err != nil {
		return err
	}
	u.Tracer = p.hold.Thread()
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

func (p *pause) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readUndo(undo)
	if err != nil {
		return "", err
	}
	if u.Signal {
		return stop{p.Victim}.Confirm(ctx, undo)
	}
	if p.hold == nil {
		return "", errors.New("this process does not hold them")
	}
	var out []string
	for _, v := range u.Victims {
		n, err := p.hold.Stopped(v)
		if err != nil {
			return "", err
		}
		out = append(out, fmt.Sprintf("all %d threads of process %d are stopped", n, v.PID))
	}
	return strings.Join(out, ", "), nil
}

// Revert lets them go. In another process than the holder there is nothing to let go: the kernel has done so when the
// holder died.
func (p *pause) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readUndo(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if u.Signal {
		return stop{p.Victim}.Revert(ctx, undo, save)
	}
	out := gone(u)
	if p.hold != nil {
		err = p.hold.Release(ctx)
	}
	return out, err
}

// Residue looks for threads that are still traced by the holder. Another tracer is somebody's debugger.
func (p *pause) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readUndo(undo)
	if err != nil {
		return nil, err
	}
	if u.Signal {
		return stop{p.Victim}.Residue(ctx, undo)
	}
	var left []string
	for _, v := range u.Victims {
		if lasts(ctx, func() bool { return traced(v, u.Tracer) }) {
			left = append(left, fmt.Sprintf("process %d is still paused", v.PID))
		}
	}
	return left, nil
}

// traced says that a thread of the process is stopped by this tracer; 0 stands for any.
func traced(p proc.Process, by int) bool {
	if _, err := proc.Find(p); err != nil {
		return false
	}
	tids, err := trace.Threads(p.PID)
	if err != nil {
		return false
	}
	for _, tid := range tids {
		if now, err := trace.Tracer(p.PID, tid); err == nil && now != 0 && (by == 0 || now == by) {
			return true
		}
	}
	return false
}
