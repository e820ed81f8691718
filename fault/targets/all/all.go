// Package all lists every fault that belay knows: those of the host, and those that are made through the API of somebody
// else. belay-hold does not link it.
package all

import (
	"context"
	"slices"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/aws"
	"github.com/belay-dr/belay/fault/docker"
	"github.com/belay-dr/belay/fault/kubernetes"
	"github.com/belay-dr/belay/fault/plugin/endpoint"
	"github.com/belay-dr/belay/fault/postgres"
	"github.com/belay-dr/belay/fault/proxy"
	"github.com/belay-dr/belay/fault/remote"
	"github.com/belay-dr/belay/fault/targets"
)

// Kinds are all faults.
func Kinds() fault.Kinds {
	return fault.Together(targets.Host(), remote.Kinds(targets.Host()), proxy.Kinds(), endpoint.Kinds(), postgres.Kinds(), kubernetes.Kinds(), aws.Kinds(), docker.Kinds())
}

// Capabilities says which of them can be made from here. It looks, and changes nothing that outlives the call.
func Capabilities(ctx context.Context) []fault.Capability {
	return slices.Concat(targets.HostCapabilities(ctx), remote.Capabilities(ctx), proxy.Capabilities(ctx), endpoint.Capabilities(ctx), postgres.Capabilities(ctx), kubernetes.Capabilities(ctx), aws.Capabilities(ctx), docker.Capabilities(ctx))
}
