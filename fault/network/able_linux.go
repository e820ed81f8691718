package network

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/nft"
	"github.com/belay-dr/belay/fault/network/shape"
)

// The mechanisms, as a plan says them.
const (
	byOwned  = "nft owner table"
	byPlain  = "nft table"
	byRoute  = "blackhole route"
	byEnding = "SOCK_DESTROY"
)

// ability is which kinds of packet filter tables this kernel makes; nil is one that it makes.
type ability struct {
	owned, plain error
	// silent says that it can drop packets so that their sender does not hear of it.
	silent bool
}

// able tries them in a network namespace that is thrown away.
func able() ability {
	var a ability
	err := netns.Apart(func(ref netns.Ref) error {
		table := nft.Table{Name: "belay", Family: nft.Inet, Chains: []nft.Chain{
			{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: []nft.Rule{{Exprs: nft.Drop()}}},
		}}
		owned, err := nft.Open(ref, table, egress(table.Name, []string{"lo"}))
		if a.silent = err == nil; !a.silent {
			owned, err = nft.Open(ref, table)
		}
		if a.owned = err; err == nil {
			return owned.Close()
		}
		a.plain = nft.Make(ref, table)
		return nil
	})
	if err != nil && a.owned == nil {
		a.owned = err
		// Who may change the network but make no namespace has no place to try. The kernel will say.
		if errors.Is(err, unix.EPERM) && privileged() {
			a.owned = nil
		}
	}
	return a
}

// choose picks the best mechanism for a partition.
func (n *Network) choose(a ability, routable bool) (string, error) {
	for _, c := range []struct {
		name string
		ok   bool
	}{{byOwned, a.owned == nil}, {byPlain, a.plain == nil}, {byRoute, routable}} {
		if c.ok && (n.only == "" || n.only == c.name) {
			return c.name, nil
		}
	}
	return "", fmt.Errorf("this system has no packet filter for it, and a route can cut only whole hosts: %w", errors.Join(a.owned, a.plain))
}

// capable fills in what can be done here.
func capable(_ context.Context, all []fault.Capability) {
	const hint = ": run as root, or take the proxy fault, which needs no rights (a user namespace has a network of its own, not the host's)"
	if !privileged() {
		for i := range all {
			all[i].Why = "CAP_NET_ADMIN is missing" + hint
		}
		return
	}
	n, tables := &Network{}, able()
	cut, err := n.choose(tables, true)
	for i := range all {
		c := &all[i]
		switch c.Fault {
		case "network.partition":
			c.Mechanism, c.Here = cut, err == nil
			c.KernelEnds = cut == byOwned
			if cut != byOwned {
				c.Class = fault.Restore
				c.Why = fmt.Sprintf("no owner tables, so a restore is needed: %v", tables.owned)
			}
		case "network.blackhole":
			c.Mechanism, c.Class, c.Here = byRoute, fault.Restore, true
		case "network.reset":
			c.Mechanism, c.KernelEnds, c.Here = byOwned, true, tables.owned == nil
			if tables.owned != nil {
				c.Mechanism, c.Why = "", tables.owned.Error()
			}
		}
	}
	shaping(all[3:]) // behind partition, blackhole and reset
}

// shaping fills in what the engines of shape can do here.
func shaping(all []fault.Capability) {
	mechanism, why, kernelEnds := shape.Able().Mechanism()
	for i := range all {
		c := &all[i]
		c.Mechanism, c.Why, c.KernelEnds, c.Here = mechanism, why, kernelEnds, mechanism != ""
		if !kernelEnds {
			c.Class = fault.Restore
		}
	}
}
