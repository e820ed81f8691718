package clock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc/trace"
)

// errInside says that a thread is to come back into the vDSO: a signal's handler runs that interrupted it there.
var errInside = errors.New("a signal interrupted a thread in the vDSO, and its handler still runs")

// deep is how much of a stack is searched for the frames of signals.
const deep = 64 << 10

// Offsets, in bytes from the interrupted instruction's address, of what stands beside it in the frame that the kernel puts
// on the stack for a handler (struct ucontext of x86-64).
const (
	atSelector = 16                // cs, after the flags
	atFlags    = 8                 // rflags
	atStack    = -(16*8 + 3*8)     // the alternate stack: address, flags, size
	atUcFlags  = atStack - 2*8     // the flags of the frame itself
	atReturn   = atUcFlags - 8     // where the handler returns to
	userCode   = 0x33              // cs of a 64-bit program
	frameFlags = 0x7               // all that a frame's flags may be
	alwaysSet  = 0x2               // rflags has a bit that is always set
	noFlags    = ^uint64(0x3fffff) // and these never
)

// interrupted says whether a thread would come back into the area when the handler of a signal returns.
func interrupted(x trace.Tracing, pid int, a area) error {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return fmt.Errorf("open memory of process %d: %w", pid, err)
	}
	defer mem.Close()
	stack := make([]byte, deep)
	for _, tid := range x.Threads() {
		var regs unix.PtraceRegs
		if err := unix.PtraceGetRegs(tid, &regs); err != nil {
			continue // it has ended
		}
		n, _ := mem.ReadAt(stack, int64(regs.Rsp&^7)) // less when the stack ends before
		if comesBack(stack[:max(n, 0)], regs.Rsp, a) {
			return errInside
		}
	}
	return nil
}

// comesBack looks for a frame with an address in the area. A frame on the alternate stack of signals lives only while the
// thread is on that stack; others are taken as living.
func comesBack(stack []byte, rsp uint64, a area) bool {
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(stack[at:]) }
	for at := 0; at+atSelector+8 <= len(stack); at += 8 {
		if !a.holds(word(at)) || at+atReturn < 0 {
			continue
		}
		flags := word(at + atFlags)
		if uint16(word(at+atSelector)) != userCode || flags&alwaysSet == 0 || flags&noFlags != 0 || word(at+atUcFlags)&^frameFlags != 0 {
			continue
		}
		from, size := word(at+atStack), word(at+atStack+16)
		frame := rsp&^7 + uint64(at)
		alternate := area{from, from + size}
		if alternate.holds(frame) && !alternate.holds(rsp) {
			continue // left over
		}
		return true
	}
	return false
}
