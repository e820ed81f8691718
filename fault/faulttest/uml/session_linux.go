package uml

import "syscall"

// deathSignal starts a process in a session of its own and kills it when the thread that started it ends.
func deathSignal() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
