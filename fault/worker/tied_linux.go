package worker

import "syscall"

// tied makes a process that no terminal can end, and that the kernel kills when the thread that started it ends.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
