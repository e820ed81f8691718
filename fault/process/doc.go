// Package process breaks processes. It must never signal a process that its plan did not name by ID, start time and boot,
// and never one of the fault's own holder or those that started it. Start at Process.
package process
