package targets

import (
	"context"
	"maps"
	"slices"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/clock"
	"github.com/belay-dr/belay/fault/dns"
	"github.com/belay-dr/belay/fault/file"
	"github.com/belay-dr/belay/fault/network"
	"github.com/belay-dr/belay/fault/plugin"
	"github.com/belay-dr/belay/fault/process"
	"github.com/belay-dr/belay/fault/resource"
)

// Host are the faults that are made on the host where the holder runs. belay-hold knows these, and belay too.
func Host() fault.Kinds {
	return fault.Together(process.Kinds(), clock.Kinds(), file.Kinds(), network.Kinds(), plugin.Kinds(), dns.Kinds(), resource.Kinds())
}

// HostCapabilities says which of them can be made here. It looks, and changes nothing that outlives the call.
func HostCapabilities(ctx context.Context) []fault.Capability {
	return slices.Concat(process.Capabilities(ctx), clock.Capabilities(ctx), file.Capabilities(ctx), network.Capabilities(ctx), plugin.Capabilities(ctx), dns.Capabilities(ctx), resource.Capabilities(ctx))
}

// Workers are the helper processes that these faults may start.
func Workers() fault.Workers {
	out := fault.Workers{}
	for _, set := range []fault.Workers{file.Workers(), resource.Workers()} {
		maps.Copy(out, set)
	}
	return out
}
