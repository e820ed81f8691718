// Package targets lists the faults that can be made on the host where the holder runs. Each is a folder of its own beside
// this one. Those that need somebody else's API are in the package all below, so that belay-hold stays small.
//
// docs/writing-a-fault.md tells how to add one.
package targets
