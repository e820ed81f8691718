package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// nobody is a process ID that no kernel gives: its largest is 1<<22.
const nobody = 1<<30 - 1

// Here says whether this process may trace at all. It tries it on a process that does not exist.
func Here() error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, nobody, 0, 0, 0, 0)
	if errno != unix.ESRCH {
		return fmt.Errorf("%w: the system call answers %w: a seccomp profile forbids it", ErrNotPermitted, errno)
	}
	return nil
}

// Permitted says whether this process may trace that one. It looks, and traces nothing.
func Permitted(p proc.Process) error {
	if err := Here(); err != nil {
		return err
	}
	if by, err := Tracer(p.PID, p.PID); err != nil {
		return err
	} else if by != 0 {
		return fmt.Errorf("%w: process %d is traced by process %d already", ErrNotPermitted, p.PID, by)
	}
	// Opening the memory asks the same question as tracing does, Yama included.
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.PID))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return proc.ErrGone
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: process %d: it belongs to another user, protects itself, or kernel.yama.ptrace_scope forbids it: CAP_SYS_PTRACE would help", ErrNotPermitted, p.PID)
	case err != nil:
		return fmt.Errorf("open memory of process %d: %w", p.PID, err)
	}
	f.Close()
	if b, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && strings.TrimSpace(string(b)) == "3" {
		return fmt.Errorf("%w: kernel.yama.ptrace_scope is 3: only a restart with another value would help", ErrNotPermitted)
	}
	return nil
}

// Tracer is the thread that traces a thread; 0 when nobody does.
func Tracer(pid, tid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	if err != nil {
		return 0, proc.ErrGone
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "TracerPid:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, fmt.Errorf("read status of thread %d: no TracerPid", tid)
}

// Threads are the threads of a process now.
func Threads(pid int) ([]int, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(list) == 0 {
		return nil, proc.ErrGone
	}
	out := make([]int, 0, len(list))
	for _, e := range list {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, tid)
		}
	}
	return out, nil
}
