package clock

import (
	"encoding/binary"
	"time"
)

// The functions of the vDSO that tell the wall clock, and what is written over them: each asks the kernel by a system call
// and adds the shift. They keep to the C calling convention: rax, rcx, rdx and r11 are theirs to change.
//
// clock_gettime(rdi clock, rsi *timespec); only CLOCK_REALTIME (0), CLOCK_REALTIME_COARSE (5) and CLOCK_TAI (11) are the
// wall clock. gettimeofday(rdi *timeval, rsi *timezone). time(rdi *time_t).
func code(shift time.Duration) map[string][]byte {
	s := binary.LittleEndian.AppendUint64(nil, uint64(int64(shift/time.Second)))
	return map[string][]byte{
		"__vdso_clock_gettime": join(
			[]byte{0xb8, 228, 0, 0, 0}, // mov eax, SYS_clock_gettime
			[]byte{0x0f, 0x05},         // syscall
			[]byte{0x85, 0xc0},         // test eax, eax
			[]byte{0x75, 27},           // jnz out: it gave an error
			[]byte{0x85, 0xff},         // test edi, edi
			[]byte{0x74, 10},           // jz add
			[]byte{0x83, 0xff, 5},      // cmp edi, 5
			[]byte{0x74, 5},            // je add
			[]byte{0x83, 0xff, 11},     // cmp edi, 11
			[]byte{0x75, 13},           // jne out
			[]byte{0x48, 0xba}, s,      // add: mov rdx, shift
			[]byte{0x48, 0x01, 0x16}, // add [rsi], rdx
			[]byte{0xc3},             // out: ret
		),
		"__vdso_gettimeofday": join(
			[]byte{0xb8, 96, 0, 0, 0}, // mov eax, SYS_gettimeofday
			[]byte{0x0f, 0x05},        // syscall
			[]byte{0x85, 0xc0},        // test eax, eax
			[]byte{0x75, 18},          // jnz out
			[]byte{0x48, 0x85, 0xff},  // test rdi, rdi
			[]byte{0x74, 13},          // jz out: no timeval was wanted
			[]byte{0x48, 0xba}, s,     // mov rdx, shift
			[]byte{0x48, 0x01, 0x17}, // add [rdi], rdx
			[]byte{0xc3},             // out: ret
		),
		"__vdso_time": join(
			[]byte{0xb8, 201, 0, 0, 0}, // mov eax, SYS_time
			[]byte{0x0f, 0x05},         // syscall
			[]byte{0x48, 0xba}, s,      // mov rdx, shift
			[]byte{0x48, 0x01, 0xd0}, // add rax, rdx
			[]byte{0x48, 0x85, 0xff}, // test rdi, rdi
			[]byte{0x74, 3},          // jz out
			[]byte{0x48, 0x89, 0x07}, // mov [rdi], rax
			[]byte{0xc3},             // out: ret
		),
	}
}

func join(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
