package docker

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault"
)

// disconnect takes a container off a network of the engine, and connects it again as it was.
type disconnect struct{ network string }

func (disconnect) says() (fault.Class, fault.Fidelity, string) {
	return fault.Restore, fault.Network, "disconnect"
}

func (d disconnect) fits(c container.InspectResponse, v *victim) error {
	if c.NetworkSettings == nil || len(c.NetworkSettings.Networks) == 0 {
		return fmt.Errorf("container %s is on no network", name(c))
	}
	on := c.NetworkSettings.Networks
	names := strings.Join(slices.Sorted(maps.Keys(on)), ", ")
	for n, e := range on {
		if e != nil && (d.network == "" && len(on) == 1 || n == d.network || d.network != "" && e.NetworkID == d.network) {
			v.Network, v.Endpoint = n, e
		}
	}
	switch {
	case v.Endpoint == nil && d.network == "":
		return fmt.Errorf("container %s is on several networks: say which of %s", name(c), names)
	case v.Endpoint == nil:
		return fmt.Errorf("container %s is not on network %s: it is on %s", name(c), d.network, names)
	case v.Network == "host" || v.Network == "none":
		return fmt.Errorf("container %s uses the network %s, which it cannot leave", name(c), v.Network)
	}
	return nil
}

func (disconnect) do(ctx context.Context, cli *client.Client, v victim) error {
	_, err := cli.NetworkDisconnect(ctx, v.Endpoint.NetworkID, client.NetworkDisconnectOptions{Container: v.ID})
	return err
}

// endpoint is how a container is connected to the network; nil when it is not.
func endpoint(c container.InspectResponse, v victim) *network.EndpointSettings {
	if c.NetworkSettings == nil {
		return nil
	}
	for n, e := range c.NetworkSettings.Networks {
		if n == v.Network && e != nil {
			return e
		}
	}
	return nil
}

func (disconnect) done(c container.InspectResponse, found bool, v victim) (string, bool) {
	if !found || endpoint(c, v) != nil {
		return "is still on network " + v.Network, false
	}
	return "is not on network " + v.Network + " any more", true
}

func (disconnect) left(container.InspectResponse, *victim) {}

func (disconnect) changed(c container.InspectResponse, v victim) string {
	if endpoint(c, v) != nil {
		return "was connected to " + v.Network + " by somebody else since"
	}
	return ""
}

// undo connects it with the same aliases, and with the same address where the network allows to ask for one.
func (disconnect) undo(ctx context.Context, cli *client.Client, v victim) error {
	was := v.Endpoint
	e := &network.EndpointSettings{IPAMConfig: was.IPAMConfig, Links: was.Links, DriverOpts: was.DriverOpts, GwPriority: was.GwPriority}
	for _, alias := range was.Aliases {
		if !strings.HasPrefix(v.ID, alias) { // the engine adds that by itself
			e.Aliases = append(e.Aliases, alias)
		}
	}
	same := *e
	if e.IPAMConfig == nil || !e.IPAMConfig.IPv4Address.IsValid() {
		same.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: was.IPAddress, IPv6Address: was.GlobalIPv6Address}
	}
	same.MacAddress = was.MacAddress
	err := connect(ctx, cli, v, &same)
	if err != nil && !errdefs.IsNotFound(err) && same.IPAMConfig != e.IPAMConfig {
		// The default network, and one whose addresses the engine chose, do not let us ask for one.
		err = connect(ctx, cli, v, e)
	}
	return err
}

func connect(ctx context.Context, cli *client.Client, v victim, e *network.EndpointSettings) error {
	if e.IPAMConfig != nil && e.IPAMConfig.IPv4Address == (netip.Addr{}) && e.IPAMConfig.IPv6Address == (netip.Addr{}) && len(e.IPAMConfig.LinkLocalIPs) == 0 {
		e.IPAMConfig = nil
	}
	_, err := cli.NetworkConnect(ctx, v.Endpoint.NetworkID, client.NetworkConnectOptions{Container: v.ID, EndpointConfig: e})
	return err
}

// pending gives the engine a moment to finish what it was asked.
func (d disconnect) pending(ctx context.Context, cli *client.Client, v victim) error {
	return settle(ctx, func() (bool, error) {
		c, found, err := inspect(ctx, cli, v.ID)
		return !found || endpoint(c, v) == nil, err
	})
}
