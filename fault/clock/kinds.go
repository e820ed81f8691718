package clock

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"clock": func() fault.Config { return new(Clock) }}
}

// Capabilities says whether it can be made here.
func Capabilities(context.Context) []fault.Capability {
	c := fault.Capability{
		Fault: "clock", Class: fault.Restore, Fidelity: fault.Process, Here: true, Mechanism: "vDSO patch",
		Effect: "the wall clock of one process is shifted; its timers and all other processes are not",
		Needs:  []string{"Linux on amd64", "the process's own user, or CAP_SYS_PTRACE"},
	}
	if err := here(); err != nil {
		c.Here, c.Mechanism, c.Why = false, "", err.Error()
	}
	return []fault.Capability{c}
}
