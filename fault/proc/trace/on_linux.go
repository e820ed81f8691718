package trace

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ErrSignal says that a signal came between two instructions. It is kept, and arrives when the thread goes on: let go and
// try again.
var ErrSignal = errors.New("a signal came in between")

// stepBound is how long one instruction may take.
const stepBound = time.Second

// Tracing is what may be asked of the threads while they are stopped. It is only for the thread that traces.
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

// Signalled says that a signal is on its way to a thread.
func (x Tracing) Signalled(tid int) bool { return x.t.threads[tid].signal != 0 }

// Step lets a thread do one instruction.
func (x Tracing) Step(tid int) error {
	th := x.t.threads[tid]
	for {
		if err := unix.PtraceSingleStep(tid); err != nil {
			return fmt.Errorf("step thread %d: %w", tid, err)
		}
		ws, err := wait(tid)
		if err != nil {
			return err
		}
		switch event := uint32(ws) >> 16; {
		case !ws.Stopped():
			delete(x.t.threads, tid)
			return fmt.Errorf("thread %d has ended", tid)
		case event != 0: // a stop of ours, and no instruction
		case ws.StopSignal() == unix.SIGTRAP:
			return nil
		case th.signal == 0:
			th.signal = ws.StopSignal()
			return ErrSignal
		default:
			return ErrSignal
		}
	}
}

func wait(tid int) (ws unix.WaitStatus, err error) {
	for end := time.Now().Add(stepBound); time.Now().Before(end); {
		got, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return ws, fmt.Errorf("wait for thread %d: %w", tid, err)
		case got == tid:
			return ws, nil
		}
	}
	return ws, fmt.Errorf("thread %d does not come back from one instruction", tid)
}
