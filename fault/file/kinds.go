package file

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"file": func() fault.Config { return new(File) }}
}

// Capabilities says which of them can be made here.
func Capabilities(context.Context) []fault.Capability {
	c := fault.Capability{Class: fault.Restore, Fidelity: fault.Data, Here: true, Mechanism: "rename"}
	unavailable, corrupt, lost := c, c, c
	unavailable.Fault, unavailable.Effect = "file.unavailable", "a file or directory cannot be reached under its name"
	corrupt.Fault, corrupt.Effect, corrupt.Mechanism = "file.corrupt", "bytes of a file are flipped in place", "write"
	lost.Fault, lost.Effect = "file.lost", "files or directories are gone from their places"
	return []fault.Capability{unavailable, corrupt, lost}
}
