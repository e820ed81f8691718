package network

import (
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"

	"github.com/belay-dr/belay/fault/network/nft"
)

// A packet that is dropped by the ordinary hooks makes its sender fail with "operation not permitted", which no real network does. TCP
// does not mind: it sends again, and times out as it should. For everything else the rules only mark the packets, and a
// hook behind the network stack, at the devices, drops the marked ones, as a lossy device would.

// doomed is the mark of such packets.
const doomed = 0xbe1a9

// lastPriority is behind everything else of the hook.
const lastPriority = 1000

// egress drops the doomed packets at devices.
func egress(table string, devices []string) nft.Table {
	return nft.Table{Name: table, Family: nft.Netdev, Chains: []nft.Chain{{
		Name: "doomed", Hook: nft.Egress, Devices: devices, Rules: nft.Rules("", [][]nft.Expr{nft.Marked(doomed)}, nft.Drop()),
	}}}
}

// open makes the tables of the fault.
func (u *undo) open() (*nft.Owned, error) {
	t := u.rules()
	if !u.Silent {
		return nft.Open(u.Netns, t)
	}
	names, indexes, err := u.devices()
	if err != nil {
		return nil, err
	}
	// What leaves by a device that is made later is dropped loudly.
	others := slices.Concat(nft.Marked(doomed), nft.NotBy(indexes))
	if len(names) == 0 || len(names) > nft.MaxDevices {
		return nft.Open(u.Netns, withLast(t, nft.Marked(doomed)))
	}
	return nft.Open(u.Netns, withLast(t, others), egress(u.Table, names))
}

// withLast drops, as the last thing that the network stack does, what the match is true for.
func withLast(t nft.Table, match []nft.Expr) nft.Table {
	t.Chains = append(t.Chains, nft.Chain{
		Name: "last", Hook: nft.Postrouting, Priority: lastPriority, Rules: nft.Rules("", [][]nft.Expr{match}, nft.Drop()),
	})
	return t
}

// devices are all of the namespace.
func (u *undo) devices() (names []string, indexes []int, err error) {
	err = u.Netns.Do(func() error {
		all, err := netlink.LinkList()
		if err != nil {
			return fmt.Errorf("list devices: %w", err)
		}
		for _, l := range all {
			names, indexes = append(names, l.Attrs().Name), append(indexes, l.Attrs().Index)
		}
		return nil
	})
	return names, indexes, err
}
