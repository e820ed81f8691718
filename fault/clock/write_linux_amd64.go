package clock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
)

const (
	// tries is how often a process is stopped again because of a signal, and between how long it runs.
	tries   = 200
	between = 2 * time.Millisecond
	// nudges is how often threads may be let go on to leave the vDSO, each time a little longer than the last, up to longest.
	nudges   = 500
	shortest = 10 * time.Microsecond
	longest  = 5 * time.Millisecond // on a busy machine it may be long until a thread runs at all
)

// patience is how often it may be that the threads cannot be brought out of the vDSO; they stand still meanwhile.
const patience = 4

// errCrowded says so.
var errCrowded = errors.New("its threads do not leave the vDSO")

// stopped stops every thread of a process outside its vDSO, and does something.
func stopped(ctx context.Context, p proc.Process, a area, do func(trace.Tracing) error) error {
	var err error
	crowded := 0
	for range tries {
		var h *trace.Hold
		if h, err = trace.Seize(ctx, p); err != nil {
			return err
		}
		err = h.On(func(x trace.Tracing) error {
			if err := errors.Join(leave(x, a), interrupted(x, p.PID, a)); err != nil {
				return err
			}
			if _, err := proc.Find(p); err != nil {
				return err
			}
			return do(x)
		})
		err = errors.Join(err, h.Release(ctx))
		if errors.Is(err, errCrowded) {
			crowded++
		}
		if !errors.Is(err, errInside) && !errors.Is(err, errCrowded) || crowded == patience {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(between):
		}
	}
	return err
}

// leave lets the threads that stand in the vDSO run until they stand elsewhere. The others stay where they are. A thread may
// make another one meanwhile, so it looks until nobody is inside.
func leave(x trace.Tracing, a area) error {
	about := shortest
	for range nudges {
		var inside []int
		for _, tid := range x.Threads() {
			if holds(a, tid) {
				inside = append(inside, tid)
			}
		}
		if len(inside) == 0 {
			return nil
		}
		if err := x.Nudge(about, inside...); err != nil {
			return err
		}
		about = min(about*3/2, longest)
	}
	return errCrowded
}

// holds says that a thread stands in the area. One that has ended stands nowhere.
func holds(a area, tid int) bool {
	var regs unix.PtraceRegs
	return unix.PtraceGetRegs(tid, &regs) == nil && a.holds(regs.Rip)
}

// exchange writes each patch whose place holds what it is to replace. Others are left alone.
func exchange(ctx context.Context, p proc.Process, a area, list []patch, back bool) error {
	return stopped(ctx, p, a, func(trace.Tracing) error {
		for _, patch := range list {
			from, to := patch.Old, patch.New
			if back {
				from, to = to, from
			}
			now, err := readMemory(p.PID, patch.At, len(from))
			if err != nil {
				return err
			}
			if !bytes.Equal(now, from) {
				continue
			}
			if err := writeMemory(p.PID, patch.At, to); err != nil {
				return err
			}
			if now, err := readMemory(p.PID, patch.At, len(to)); err != nil || !bytes.Equal(now, to) {
				return errors.Join(fmt.Errorf("%s of process %d does not keep what is written", patch.Name, p.PID), err)
			}
		}
		return nil
	})
}
