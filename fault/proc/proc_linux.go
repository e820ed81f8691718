package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// BootID is the kernel's ID of this boot.
var BootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
})

// kernelThread is PF_KTHREAD of linux/sched.h.
const kernelThread = 0x00200000

// Look reads what the kernel says about a process. ErrGone means that there is none.
func Look(pid int) (Info, error) {
	return look(pid, "/proc/"+strconv.Itoa(pid))
}

// LookThread reads what the kernel says about one thread of a process. Start and state are the thread's own.
func LookThread(pid, tid int) (Info, error) {
	return look(pid, fmt.Sprintf("/proc/%d/task/%d", pid, tid))
}

func look(pid int, dir string) (Info, error) {
	b, err := os.ReadFile(dir + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return Info{}, ErrGone
	}
	if err != nil {
		return Info{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	// The name stands in parentheses and may itself hold any of them.
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return Info{}, fmt.Errorf("read process %d: stat has no name", pid)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return Info{}, fmt.Errorf("read process %d: stat has %d fields", pid, len(f)+2)
	}
	i := Info{Process: Process{PID: pid, Start: f[19], Boot: BootID()}, Name: string(b[open+1 : end]), State: f[0][0]}
	if i.threads, err = strconv.Atoi(f[17]); err != nil {
		return Info{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	if i.Parent, err = strconv.Atoi(f[1]); err != nil {
		return Info{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	flags, _ := strconv.ParseUint(f[6], 10, 64)
	i.Kernel = flags&kernelThread != 0
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return Info{}, ErrGone
	}
	i.UID = int(st.Uid)
	return i, nil
}

// Signal sends a signal to exactly this process, through a handle that cannot come to mean another one.
func Signal(p Process, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if _, err := Find(p); err != nil {
		return err
	}
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}
