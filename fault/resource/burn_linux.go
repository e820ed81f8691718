package resource

import (
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/worker"
)

// burn is the config of the worker that uses processor time up.
type burn struct {
	CPUs int     `json:"cpus"`
	Load float64 `json:"load"`
	// Wait says that it begins when it is told to.
	Wait bool `json:"wait,omitempty"`
}

// cycle is how often a thread pauses. It is short beside any period that a scheduler or a person looks at.
const cycle = 10 * time.Millisecond

// burnWork is the whole worker.
func burnWork(stdin io.Reader, stdout io.Writer) error {
	var b burn
	rest, err := worker.Read(stdin, &b)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(b.CPUs + 2) // who waits for the end must never wait for those who burn
	if b.Wait {
		if err := worker.Ready(stdout); err != nil || !worker.Told(rest) {
			return err
		}
	}
	for range b.CPUs {
		go burnThread(b.Load, b.CPUs)
	}
	if !b.Wait {
		if err := worker.Ready(stdout); err != nil {
			return err
		}
	}
	<-worker.Ended(rest)
	return nil
}

// burnThread uses that part of one processor for ever, as one of so many threads. It compares its share of what the process used,
// with the runtime's own threads, with what it should have used since it began, so that neither a late timer nor a busy machine makes it drift; what it missed by more than a cycle it does not catch up.
func burnThread(load float64, threads int) {
	runtime.LockOSThread()
	share := func() time.Duration { return processTime(0) / time.Duration(threads) }
	due, next, n := share(), time.Now(), uint64(1)
	for {
		next = next.Add(cycle)
		due += time.Duration(load * float64(cycle))
		used := share()
		due = max(due, used-cycle)
		due = min(due, used+cycle)
		for used < due && (load == 1 || time.Now().Before(next)) {
			n = spin(n)
			used = share()
		}
		if wait := time.Until(next); wait < -cycle || load == 1 {
			next = time.Now()
		} else if wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&ts, nil)
		}
	}
}

// spin is a few microseconds of work.
//
//go:noinline
func spin(n uint64) uint64 {
	for range 2000 {
		n = n*6364136223846793005 + 1442695040888963407
	}
	return n
}

// processTime is the processor time of a process; 0 is this one. It is 0 when the process is gone.
func processTime(pid int) time.Duration {
	if pid == 0 {
		return clockNow(unix.CLOCK_PROCESS_CPUTIME_ID)
	}
	// The kernel's name for the clock of another process: its ID inverted, and "scheduled time of all threads".
	return clockNow(int32(^pid<<3 | 2))
}

func clockNow(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
