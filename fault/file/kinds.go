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
	data := fault.Capability{Class: fault.Restore, Fidelity: fault.Data, Here: true, Mechanism: "rename"}
	unavailable, corrupt, lost, since := data, data, data, data
	unavailable.Fault, unavailable.Effect, unavailable.Fidelity = "file.unavailable", "a file or directory cannot be reached under its name", fault.Host
	corrupt.Fault, corrupt.Effect, corrupt.Mechanism = "file.corrupt", "bytes of a file are flipped in place", "write"
	lost.Fault, lost.Effect = "file.lost", "files or directories are gone from their places"
	since.Fault, since.Effect, since.Mechanism = "file.lost (snapshot)", "what was done since a snapshot is gone", "copy, then exchange in one step"

	readOnly := fault.Capability{
		Fault: "file.read_only", Class: fault.Restore, Fidelity: fault.Host, Effect: "nobody can write to files and directories",
		Here: true, Mechanism: byFlag, Needs: []string{"CAP_LINUX_IMMUTABLE"},
	}
	if err := flagHere(); err != nil {
		readOnly.Mechanism, readOnly.Needs = byMode, nil
		readOnly.Why = "the immutable flag cannot be used, so it does not hold for root: " + err.Error()
	}
	slow := fault.Capability{
		Fault: "file.slow", Class: fault.Restore, Fidelity: fault.Host, Effect: "operations in a directory take longer",
		Here: true, Mechanism: "FUSE mount over the directory", Needs: []string{"CAP_SYS_ADMIN", "/dev/fuse"},
	}
	if err := mountable(); err != nil {
		slow.Here, slow.Mechanism, slow.Why = false, "", err.Error()
	}
	failing := slow
	failing.Fault, failing.Effect = "file.errors", "operations in a directory fail with EIO, ENOSPC or EROFS"
	return []fault.Capability{unavailable, corrupt, lost, since, readOnly, slow, failing}
}
