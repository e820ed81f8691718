package proxy

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"proxy": func() fault.Config { return new(Proxy) }}
}

// Capabilities says which of them can be made here: all but a cut need nothing.
func Capabilities(context.Context) []fault.Capability {
	var out []fault.Capability
	for _, c := range []struct{ name, effect string }{
		{"delay", "answers come later"},
		{"reset", "connections are reset"},
		{"rate", "little passes in a second"},
		{"limit_bytes", "connections are closed after some bytes"},
		{"slow_close", "the end of a connection is seen late"},
		{"timeout", "nothing passes"},
	} {
		out = append(out, fault.Capability{
			Fault: "proxy." + c.name, Class: fault.SelfEnding, Fidelity: fault.Network, Here: true, KernelEnds: true,
			Effect: c.effect + ", through a TCP proxy and without privileges", Mechanism: "Toxiproxy in the holder, or a server of the team's",
		})
	}
	return append(out, fault.Capability{
		Fault: "proxy.cut", Class: fault.Restore, Fidelity: fault.Network, Here: true,
		Effect: "connections through a TCP proxy are refused", Mechanism: "a Toxiproxy server of the team's", Needs: []string{"a Toxiproxy server"},
	})
}
