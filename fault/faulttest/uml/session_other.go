//go:build !linux

package uml

import "syscall"

func deathSignal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
