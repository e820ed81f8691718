package proc

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// The states of sys/proc.h.
const (
	statRun  = 2
	statStop = 4
	statZomb = 5
)

// BootID is the kernel's ID of this boot.
var BootID = sync.OnceValue(func() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return "unknown"
	}
	return id
})

// Look reads what the kernel says about a process. ErrGone means that there is none.
func Look(pid int) (Info, error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EIO) {
		return Info{}, ErrGone // an empty answer is reported as EIO
	}
	if err != nil {
		return Info{}, fmt.Errorf("read process %d: %w", pid, err)
	}
	if int(k.Proc.P_pid) != pid {
		return Info{}, ErrGone
	}
	i := Info{
		Process: Process{
			PID:   pid,
			Start: fmt.Sprintf("%d.%06d", k.Proc.P_starttime.Sec, k.Proc.P_starttime.Usec),
			Boot:  BootID(),
		},
		Name:   unix.ByteSliceToString(k.Proc.P_comm[:]),
		State:  'S',
		Parent: int(k.Eproc.Ppid),
		UID:    int(k.Eproc.Ucred.Uid),
	}
	switch k.Proc.P_stat {
	case statRun:
		i.State = 'R'
	case statStop:
		i.State = Stopped
	case statZomb:
		i.State = Zombie
	}
	return i, nil
}

// Signal sends a signal to this process. macOS has no process handles, so the start time is compared just before.
func Signal(p Process, sig unix.Signal) error {
	if _, err := Find(p); err != nil {
		return err
	}
	err := unix.Kill(p.PID, sig)
	if errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}
