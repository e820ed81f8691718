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
	// maxSteps is how many instructions a thread may take to leave the vDSO.
	maxSteps = 5000
)

// stopped stops every thread of a process, lets those that are in its vDSO go out of it, and does something.
func stopped(ctx context.Context, p proc.Process, a area, do func(trace.Tracing) error) error {
	var err error
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
		if !errors.Is(err, trace.ErrSignal) && !errors.Is(err, errInside) {
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

// leave steps each thread out of the vDSO.
func leave(x trace.Tracing, a area) error {
	for _, tid := range x.Threads() {
		for n := 0; ; n++ {
			var regs unix.PtraceRegs
			if err := unix.PtraceGetRegs(tid, &regs); err != nil {
				if errors.Is(err, unix.ESRCH) {
					break // it has ended
				}
				return fmt.Errorf("read registers of thread %d: %w", tid, err)
			}
			if !a.holds(regs.Rip) {
				break
			}
			if n == maxSteps {
				return fmt.Errorf("thread %d does not leave the vDSO", tid)
			}
			if err := x.Step(tid); err != nil {
				return err
			}
		}
	}
	return nil
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
