//go:build !linux

package worker

import "syscall"

// tied makes a process that no terminal can end. That it ends with its holder is the pipe's work.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
