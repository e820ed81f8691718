package trace

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Tracing is what may be asked of the threads while they are stopped. It is only for the thread that traces. Nothing here
// changes a register or steps through instructions: should this process be killed, the kernel lets every thread go on
// as if nothing had been.
type Tracing struct{ t *tracer }

// On runs f on the tracing thread, the only one that the kernel lets ask.
func (h *Hold) On(f func(Tracing) error) error {
	return h.on(false, func(t *tracer) error { return f(Tracing{t}) })
}

// Threads are those that are stopped, in order.
func (x Tracing) Threads() []int {
	var out []int
	for _, tid := range slices.Sorted(maps.Keys(x.t.threads)) {
		if x.t.threads[tid].stopped {
			out = append(out, tid)
		}
	}
	return out
}

// Nudge lets threads run for about so long, and stops them again.
func (x Tracing) Nudge(about time.Duration, tids ...int) error {
	for _, tid := range tids {
		if err := x.t.resume(tid, unix.PTRACE_CONT); err != nil {
			return err
		}
	}
	time.Sleep(about)
	for _, tid := range tids {
		if err := unix.PtraceInterrupt(tid); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("interrupt thread %d: %w", tid, err)
		}
	}
	return x.t.settle(nil, stopBound)
}

// Watch lets all threads run for at most so long, and calls seen when one comes out of a system call. When seen returns
// true, or the time is over, all are stopped again.
func (x Tracing) Watch(about time.Duration, seen func(tid int) bool) error {
	t := x.t
	t.calls = map[int]bool{}
	defer func() { t.calls = nil }()
	for _, tid := range x.Threads() {
		if err := t.resume(tid, unix.PTRACE_SYSCALL); err != nil {
			return err
		}
	}
	found := false
	for began := time.Now(); time.Since(began) < about && !found; {
		t.reap()
		rested := true
		for tid, th := range t.threads {
			if !th.stopped {
				continue
			}
			rested = false
			if t.calls[tid] && seen(tid) {
				found = true
				break
			}
			delete(t.calls, tid)
			if err := t.resume(tid, unix.PTRACE_SYSCALL); err != nil {
				return err
			}
		}
		if rested {
			time.Sleep(20 * time.Microsecond)
		}
	}
	for tid, th := range t.threads {
		if !th.stopped {
			_ = unix.PtraceInterrupt(tid)
		}
	}
	return t.settle(nil, stopBound)
}

// resume lets a stopped thread go on, with the signal that was on its way.
func (t *tracer) resume(tid int, how int) error {
	th := t.threads[tid]
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(how), uintptr(tid), 0, uintptr(th.signal), 0, 0)
	if errno == unix.ESRCH {
		return nil // it has been killed
	}
	if errno != 0 {
		return fmt.Errorf("let thread %d go on: %w", tid, errno)
	}
	th.stopped, th.signal = false, 0
	return nil
}
