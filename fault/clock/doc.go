// Package clock shifts the wall clock of one process, and of no other, on Linux on amd64: it writes a few instructions over
// the functions of the process's own copy of the vDSO, which is where nearly every program asks the kernel for the time.
//
// It must never write while a thread stands in the vDSO, never write over bytes that are not those it has read before, and
// never touch the time of the machine. Start at Clock, and read docs/reference/faults/clock.md for what it cannot do.
package clock
