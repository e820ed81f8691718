package shape

import (
	"errors"

	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/nft"
	"github.com/belay-dr/belay/fault/network/shape/nfqueue"
)

// Able tries both engines in a network namespace that is thrown away. It changes nothing else.
func Able() Ability {
	var a Ability
	err := netns.Apart(func(ref netns.Ref) error {
		a.NoNetem = tryNetem(&a.Flower)
		a.tryQueue(ref)
		return nil
	})
	if errors.Is(err, unix.EPERM) {
		err = errors.New("CAP_SYS_ADMIN is missing, without which nothing can be tried: run as root")
	}
	if err != nil {
		a.NoNetem, a.NoQueue = err.Error(), err.Error()
	}
	return a
}

// tryQueue binds a queue and makes a rule for it, in the best way first.
func (a *Ability) tryQueue(ref netns.Ref) {
	const number = 7
	q, err := nfqueue.Open(nfqueue.Config{Number: number, Copy: 64, Length: 16})
	if err != nil {
		a.NoQueue = "no packet queue: " + err.Error()
		return
	}
	defer q.Close()
	for _, way := range []struct {
		family     nft.Family
		rule       []expr.Any
		old, split bool
	}{
		{nft.Inet, nft.Queue(number), false, false},
		{nft.IPv4, nft.Queue(number), false, true},
		{nft.IPv4, nft.OldQueue(number), true, true},
	} {
		table, err := nft.Open(ref, nft.Table{Name: "belay_try", Family: way.family, Chains: []nft.Chain{
			{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: []nft.Rule{{Exprs: way.rule}}},
		}})
		if err == nil {
			_ = table.Close()
			a.NoQueue, a.OldQueue, a.SplitTables = "", way.old, way.split
			return
		}
		a.NoQueue = "no packet queue: " + err.Error()
	}
}

// tryNetem puts netem on the loopback of this thread's namespace.
func tryNetem(flower *bool) string {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return "no netem: " + err.Error()
	}
	defer h.Close()
	const lo, handle = 1, 0xbe00
	tries := []struct {
		name string
		do   func() error
	}{
		{"prio", func() error { return h.QdiscAdd(prio(lo, handle)) }},
		{"netem", func() error { return h.QdiscAdd(netem(lo, handle, Spec{Loss: 1})) }},
	}
	for _, t := range tries {
		if err := t.do(); err != nil {
			if errors.Is(err, unix.ENOENT) {
				return "this kernel has no " + t.name
			}
			return "no " + t.name + ": " + err.Error()
		}
	}
	m := match{eth: unix.ETH_P_IP, proto: unix.IPPROTO_TCP, port: 80}
	*flower = h.FilterAdd(m.flower(lo, handle, 1)) == nil
	if !*flower {
		if err := h.FilterAdd(m.u32(lo, handle, 1)); err != nil {
			return "this kernel has neither flower nor u32, which choose the packets of netem"
		}
	}
	return ""
}
