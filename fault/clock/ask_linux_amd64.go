package clock

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/proc/trace"
)

// errBusy says that no thread of the process waits in a system call, where it can be asked something safely.
var errBusy = errors.New("no thread waits in a system call")

// below is how far below the stack pointer a thread's stack is borrowed: past what the calling convention lets it use
// without moving the pointer.
const below = 256

// ask lets a thread of the process itself call the function at this address for the wall clock, one instruction after
// the other, and puts the thread's registers and stack back. It returns how far ahead of ours that clock is.
func ask(ctx context.Context, p proc.Process, a area, at uint64) (ahead time.Duration, err error) {
	err = stopped(ctx, p, a, func(x trace.Tracing) error {
		for _, tid := range x.Threads() {
			var regs unix.PtraceRegs
			if err := unix.PtraceGetRegs(tid, &regs); err != nil {
				continue
			}
			// Only a thread in a system call is surely in no sequence that the kernel would have to restart.
			if int64(regs.Orig_rax) < 0 || x.Signalled(tid) || !traps(p.PID, tid) {
				continue
			}
			ahead, err = call(x, p.PID, tid, regs, at)
			return err
		}
		return errBusy
	})
	return ahead, err
}

// call lets one thread call clock_gettime(CLOCK_REALTIME).
func call(x trace.Tracing, pid, tid int, regs unix.PtraceRegs, at uint64) (ahead time.Duration, err error) {
	result := (regs.Rsp - below) &^ 15 // a timespec, and below it the return address
	kept, err := readMemory(pid, result-16, 32)
	if err != nil {
		return 0, err
	}
	there := regs
	there.Rip, there.Rdi, there.Rsi, there.Rsp, there.Orig_rax = at, 0, result, result-8, ^uint64(0)
	// What happens next, these put back, whatever happens.
	defer func() {
		err = errors.Join(err, writeMemory(pid, result-16, kept))
		if back := unix.PtraceSetRegs(tid, &regs); back != nil {
			err = errors.Join(err, fmt.Errorf("put registers of thread %d back: %w", tid, back))
		}
	}()
	if err := writeMemory(pid, result-8, binary.LittleEndian.AppendUint64(nil, regs.Rip)); err != nil {
		return 0, err
	}
	if err := unix.PtraceSetRegs(tid, &there); err != nil {
		return 0, fmt.Errorf("set registers of thread %d: %w", tid, err)
	}
	for range maxSteps {
		if err := x.Step(tid); err != nil {
			return 0, err
		}
		var now unix.PtraceRegs
		if err := unix.PtraceGetRegs(tid, &now); err != nil {
			return 0, err
		}
		if now.Rip == regs.Rip && now.Rsp == result {
			ours := time.Now()
			if now.Rax != 0 {
				return 0, fmt.Errorf("its clock_gettime returned %d", int64(now.Rax))
			}
			b, err := readMemory(pid, result, 16)
			if err != nil {
				return 0, err
			}
			sec, nsec := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
			return time.Unix(int64(sec), int64(nsec)).Sub(ours), nil
		}
	}
	return 0, errors.New("its clock_gettime does not return")
}

// traps says that a thread neither blocks nor ignores the signal that single steps are told by. The kernel would reset it.
func traps(pid, tid int) bool {
	b, err := readStatus(pid, tid)
	if err != nil {
		return false
	}
	for _, key := range []string{"SigBlk:", "SigIgn:"} {
		_, rest, found := bytes.Cut(b, []byte(key))
		var mask uint64
		if _, err := fmt.Fscanf(bytes.NewReader(bytes.TrimSpace(rest)), "%x", &mask); !found || err != nil || mask>>(unix.SIGTRAP-1)&1 == 1 {
			return false
		}
	}
	return true
}
