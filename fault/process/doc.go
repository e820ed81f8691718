// Package process breaks processes: it kills, stops, pauses and freezes them. It must never touch a process that its plan
// did not name by ID, start time and boot (or, for a whole cgroup, by the cgroup's own inode and a stated maximum), and
// never one of the fault's own holder, its reaper or those that started it. Start at Process and Victim.
package process
