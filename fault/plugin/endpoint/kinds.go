package endpoint

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"http": func() fault.Config { return new(Endpoint) }}
}

// Capabilities says which of them can be made here.
func Capabilities(context.Context) []fault.Capability {
	return []fault.Capability{{
		Fault: "http", Class: fault.Restore, Fidelity: fault.Process, Here: true,
		Effect: "whatever a service of your own does that speaks the plug-in protocol by HTTP", Needs: []string{"the service"},
	}}
}
