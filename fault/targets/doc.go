// Package targets are the things on this machine that can be broken: a process, a file or directory, and whatever a
// command of the user's own breaks. Each is one file or folder and implements fault.Target. Nothing here may change
// anything in Plan, hit anything that Plan did not name, or put back what somebody has changed since.
//
// Start at Kinds and Decode; docs/writing-a-fault.md tells how to add one.
package targets
