package network

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"network": func() fault.Config { return new(Network) }}
}

// effects say for a person what each action does.
var effects = [...]struct{ action, effect string }{
	{"partition", "peers cannot be reached, and cannot reach us: packets are dropped or rejected"},
	{"blackhole", "what is sent to hosts vanishes, by a route"},
	{"reset", "TCP connections to peers are reset, those that exist and new ones"},
	{"delay", "packets come late, by a time and a jitter"},
	{"loss", "packets are lost at random"},
	{"duplicate", "packets come twice at random"},
	{"corrupt", "bits of packets are changed at random"},
	{"reorder", "packets overtake others"},
	{"rate", "no more than so many bits per second get through"},
}

// Capabilities says which of them can be made here: it tries each in a network namespace that is thrown away.
func Capabilities(ctx context.Context) []fault.Capability {
	var all []fault.Capability
	for _, e := range effects {
		all = append(all, fault.Capability{
			Fault: "network." + e.action, Class: fault.SelfEnding, Fidelity: fault.Network, Effect: e.effect, Needs: []string{"CAP_NET_ADMIN"},
		})
	}
	capable(ctx, all)
	return all
}
