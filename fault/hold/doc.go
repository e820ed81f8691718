// Package hold keeps a fault alive exactly as long as its holder's standard input, and a lease. The holder is a process
// of its own: it writes an undo record, arms a reaper, injects, confirms, and reverts at the end of its input, on a
// signal, when beats stop or at its limit. The reaper waits for the holder's file lock and reverts when the holder dies
// or hangs. A sweep reverts what both left behind, for example after a power loss.
//
// Whoever holds the lock of a record is the only one who may inject or revert it. Nothing here may revert without that
// lock, and nothing may be injected before its record is on disk.
//
// Start at Main (the process), Launcher (how to start one) and Record (what is on disk).
package hold
