package process

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"process": func() fault.Config { return new(Process) }}
}

// Capabilities says which of them can be made here.
func Capabilities(context.Context) []fault.Capability {
	return []fault.Capability{
		{
			Fault: "process.kill", Class: fault.OneShot, Fidelity: fault.Process, Here: true, Mechanism: "SIGKILL",
			Effect: "a process gets SIGKILL; nobody starts it again but the procedure",
		},
		{
			Fault: "process.stop", Class: fault.Restore, Fidelity: fault.Process, Here: true, Mechanism: "SIGSTOP",
			Effect: "a process is frozen and goes on afterwards",
		},
	}
}
