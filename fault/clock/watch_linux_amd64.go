package clock

import (
	"context"
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
)

const (
	// watching is how long a process is watched for one of its threads to ask for the time.
	watching = 100 * time.Millisecond
	// enough are so many calls that their answers are not looked for any longer.
	enough = 5
	// asked is where the system call of our clock_gettime returns to, from its beginning.
	asked = 7
)

// sight is what was seen of a process that asked for the time.
type sight struct {
	// calls are how often it came through what we wrote.
	calls int
	// told says that the answer was found where the process reads it, and ahead how far it is from our clock.
	told  bool
	ahead time.Duration
}

// watch lets a process run, waits for it to ask for the wall clock by itself, and reads what it was told. Nothing in the
// process is changed for that.
func watch(ctx context.Context, p proc.Process, a area, at uint64, shift time.Duration) (s sight, err error) {
	err = stopped(ctx, p, a, func(x trace.Tracing) error {
		for end := time.Now().Add(watching); time.Now().Before(end) && !s.told && s.calls < enough && ctx.Err() == nil; {
			var regs unix.PtraceRegs
			caught := 0
			err := x.Watch(time.Until(end), func(tid int) bool {
				if unix.PtraceGetRegs(tid, &regs) != nil || regs.Rip != at+asked || regs.Orig_rax != unix.SYS_CLOCK_GETTIME || regs.Rdi != unix.CLOCK_REALTIME || regs.Rax != 0 {
					return false
				}
				caught = tid
				return true
			})
			if err != nil || caught == 0 {
				return err
			}
			s.calls++
			if err := s.read(x, p.PID, caught, regs.Rsi, area{at, at + 64}, shift); err != nil {
				return err
			}
		}
		return nil
	})
	return s, err
}

// read lets the thread leave our function and looks at its answer. The thread may use that memory for something else by
// then: only a time that could be the answer counts.
func (s *sight) read(x trace.Tracing, pid, tid int, answer uint64, function area, shift time.Duration) error {
	for range nudges {
		if !holds(function, tid) {
			break
		}
		if err := x.Nudge(time.Microsecond, tid); err != nil {
			return err
		}
	}
	b, err := readMemory(pid, answer, 16)
	if err != nil {
		return nil
	}
	sec, nsec := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	ahead := time.Until(time.Unix(sec, nsec))
	if nsec >= 0 && nsec < 1e9 && (ahead-shift).Abs() < time.Second {
		s.told, s.ahead = true, ahead
	}
	return nil
}
