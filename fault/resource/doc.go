// Package resource takes processor time, memory, descriptors and disk away: from one process, from a cgroup, or from the
// whole machine. It must never limit its own holder or one of those that started it, never take memory that the machine
// cannot spare, and never leave a limit behind that it set. Start at Resource; limits.go has what all limits of cgroups share.
package resource
