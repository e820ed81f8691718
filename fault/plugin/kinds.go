package plugin

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{
		"command": func() fault.Config { return new(Command) },
		"plugin":  func() fault.Config { return new(Program) },
	}
}

// Capabilities says which of them can be made here.
func Capabilities(context.Context) []fault.Capability {
	return []fault.Capability{
		{
			Fault: "command", Class: fault.Restore, Fidelity: fault.Process, Here: true,
			Effect: "whatever commands of your own inject, confirm and take back",
		},
		{
			Fault: "plugin", Class: fault.Restore, Fidelity: fault.Process, Here: true,
			Effect: "whatever a program of your own does that speaks the plug-in protocol",
		},
	}
}
