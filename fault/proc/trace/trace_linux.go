package trace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

const (
	// reapEvery is how often ended threads are taken note of; until then their parent does not see the end.
	reapEvery = 10 * time.Millisecond
	// systemCall marks the stops at system calls.
	systemCall = 0x80
	// stopBound is how long a thread may take to stop. One that is deep in the kernel does not.
	stopBound = 5 * time.Second
)

// Hold are processes of which every thread is stopped. When this process dies, the kernel lets them go.
type Hold struct {
	// tid is our thread, the tracer.
	tid  int
	asks chan ask
	over chan struct{}
}

type ask struct {
	do   func(*tracer) error
	last bool
	said chan error
}

// tracer is what only the tracing thread touches.
type tracer struct {
	tid int
	// threads are the traced ones: by thread ID the process, and the signal that it is to get when it goes on.
	threads map[int]*thread
	// calls are the threads that stopped at a system call, while that is asked for.
	calls map[int]bool
}

type thread struct {
	pid     int
	stopped bool
	signal  unix.Signal
}

// Seize stops every thread of these processes, also those that are being made meanwhile. It stops all or none.
func Seize(ctx context.Context, procs ...proc.Process) (*Hold, error) {
	h := &Hold{asks: make(chan ask), over: make(chan struct{})}
	ready := make(chan error, 1)
	go h.run(ctx, procs, ready)
	if err := <-ready; err != nil {
		<-h.over
		return nil, err
	}
	return h, nil
}

// run is the life of the tracing thread. It is locked and never unlocked, so that the thread ends with it, and with the
// thread all tracing.
func (h *Hold) run(ctx context.Context, procs []proc.Process, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// The first thread of a Go program does not end with its goroutine. Another one does, as this one is taken.
		done := make(chan struct{})
		go func() { defer close(done); h.run(ctx, procs, ready) }()
		<-done
		runtime.UnlockOSThread()
		return
	}
	defer close(h.over)
	t := &tracer{tid: unix.Gettid(), threads: map[int]*thread{}}
	h.tid = t.tid
	err := t.seizeAll(ctx, procs)
	if err != nil {
		t.release()
	}
	ready <- err
	if err != nil {
		return
	}
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		select {
		case a := <-h.asks:
			err := a.do(t)
			if a.last {
				t.release()
				a.said <- err
				return
			}
			a.said <- err
		case <-tick.C:
			t.reap()
		}
	}
}

// on runs f on the tracing thread.
func (h *Hold) on(last bool, f func(*tracer) error) error {
	a := ask{do: f, last: last, said: make(chan error, 1)}
	select {
	case h.asks <- a:
		return <-a.said
	case <-h.over:
		return errors.New("the processes have been let go")
	}
}

// Release lets all go on and returns when they do. Calling it again does nothing.
func (h *Hold) Release(ctx context.Context) error {
	_ = h.on(true, func(*tracer) error { return nil })
	select {
	case <-h.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Thread is the tracing thread. It says of whom a traced thread is.
func (h *Hold) Thread() int { return h.tid }

// Stopped says how many threads of a process are stopped by this hold, or which one is not.
func (h *Hold) Stopped(p proc.Process) (int, error) {
	if _, err := proc.Find(p); err != nil {
		return 0, fmt.Errorf("process %d: %w", p.PID, err)
	}
	tids, err := Threads(p.PID)
	if err != nil {
		return 0, err
	}
	for _, tid := range tids {
		i, err := proc.LookThread(p.PID, tid)
		if err != nil {
			return 0, err
		}
		by, err := Tracer(p.PID, tid)
		if err != nil {
			return 0, err
		}
		if i.State != proc.Traced || by != h.tid {
			return 0, fmt.Errorf("thread %d of process %d is not stopped (state %c, tracer %d)", tid, p.PID, i.State, by)
		}
	}
	return len(tids), nil
}

// seizeAll stops every thread of every process.
func (t *tracer) seizeAll(ctx context.Context, procs []proc.Process) error {
	for _, p := range procs {
		if _, err := proc.Find(p); err != nil {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
		if err := t.seize(ctx, p); err != nil {
			return err
		}
		// Its ID was compared before the first thread was traced. From then on it cannot come to mean another process.
		if _, err := proc.Find(p); err != nil {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
	}
	return nil
}

// seize goes over the threads until there is none that is not stopped. Those that a traced thread makes are traced from
// their birth; those that another one makes are found in the next round.
func (t *tracer) seize(ctx context.Context, p proc.Process) error {
	for {
		tids, err := Threads(p.PID)
		if err != nil {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
		fresh := false
		for _, tid := range tids {
			if t.threads[tid] != nil {
				continue
			}
			fresh = true
			if err := t.seizeThread(p.PID, tid); err != nil {
				return err
			}
		}
		if !fresh {
			return nil
		}
		if err := t.settle(ctx.Done(), stopBound); err != nil {
			return err
		}
	}
}

func (t *tracer) seizeThread(pid, tid int) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACESYSGOOD, 0, 0)
	switch {
	case errno == 0:
	case errno == unix.ESRCH:
		return nil // it has ended
	default:
		if by, err := Tracer(pid, tid); err == nil && by == t.tid {
			break // traced from its birth
		} else if i, err := proc.LookThread(pid, tid); err != nil || i.Over() {
			return nil
		}
		return fmt.Errorf("%w: thread %d of process %d: %w", ErrNotPermitted, tid, pid, errno)
	}
	t.threads[tid] = &thread{pid: pid}
	if err := unix.PtraceInterrupt(tid); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("interrupt thread %d of process %d: %w", tid, pid, err)
	}
	return nil
}

// settle waits until every traced thread is stopped or has ended. This process may be frozen meanwhile: of such a time it
// counts only a moment, because the threads may have had none of it.
func (t *tracer) settle(over <-chan struct{}, bound time.Duration) error {
	const nap, most = 50 * time.Microsecond, 20 * time.Millisecond
	var waited time.Duration
	for last := time.Now(); ; {
		t.reap()
		moving := t.moving()
		if moving == 0 {
			return nil
		}
		err := context.DeadlineExceeded
		select {
		case <-over:
			err = context.Canceled
		default:
			if waited < bound {
				time.Sleep(nap)
				now := time.Now()
				waited += min(now.Sub(last), most)
				last = now
				continue
			}
		}
		return fmt.Errorf("thread %d of process %d does not stop: it is in the kernel: %w", moving, t.threads[moving].pid, err)
	}
}

// moving is a traced thread that runs; 0 when there is none. The leader of a process may have ended before its other
// threads: it does not stop, and does not run.
func (t *tracer) moving() int {
	for tid, th := range t.threads {
		if th.stopped {
			continue
		}
		if i, err := proc.LookThread(th.pid, tid); err == nil && !i.Over() {
			return tid
		}
	}
	return 0
}

// reap takes note of what happened to the traced threads, and of no other child of this process.
func (t *tracer) reap() {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOHANG|unix.WNOTHREAD, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || tid <= 0 {
			return
		}
		t.note(tid, ws)
	}
}

func (t *tracer) note(tid int, ws unix.WaitStatus) {
	if !ws.Stopped() {
		delete(t.threads, tid)
		return
	}
	th := t.threads[tid]
	if th == nil {
		// Made by a traced thread, and traced from its birth.
		th = &thread{pid: tid}
		t.threads[tid] = th
	}
	th.stopped = true
	// Events are stops of ours, and so are system calls. Any other is a signal on its way, which is to arrive when the thread
	// goes on.
	switch signal := unix.Signal(uint32(ws) >> 8 & 0xff); {
	case uint32(ws)>>16 != 0:
	case signal == unix.SIGTRAP|systemCall:
		if t.calls != nil {
			t.calls[tid] = true
		}
	default:
		th.signal = signal
	}
}

// release lets every thread go on.
func (t *tracer) release() {
	t.reap()
	for tid, th := range t.threads {
		for n := 0; ; n++ {
			_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(tid), 0, uintptr(th.signal), 0, 0)
			if errno != unix.ESRCH || n == 20 {
				break
			}
			// It has ended, or has not stopped yet. In both cases the end of this thread lets it go.
			if i, err := proc.LookThread(th.pid, tid); err != nil || i.Over() {
				break
			}
			t.reap()
			time.Sleep(100 * time.Microsecond)
		}
	}
	t.reap()
	clear(t.threads)
}
