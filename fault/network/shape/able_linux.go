package shape

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/nft"
	"github.com/belay-dr/belay/fault/network/shape/nfqueue"
	"github.com/belay-dr/belay/fault/proc"
)

// Able tries both engines in a network namespace that is thrown away. It changes nothing else.
func Able() Ability {
	var a Ability
	err := scratch(func(ref netns.Ref) {
		a.NoNetem = tryNetem(&a.Flower)
		a.NoQueue = tryQueue(ref, &a.OldQueue)
	})
	if err != nil {
		a.NoNetem, a.NoQueue = err.Error(), err.Error()
	}
	return a
}

// scratch runs f in a network namespace of its own, on a thread that is not used again.
func scratch(f func(ref netns.Ref)) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- func() error {
			err := unix.Unshare(unix.CLONE_NEWNET)
			if errors.Is(err, unix.EPERM) {
				return errors.New("CAP_SYS_ADMIN and CAP_NET_ADMIN are missing: run as root")
			}
			if err != nil {
				return fmt.Errorf("make network namespace: %w", err)
			}
			path := fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), unix.Gettid())
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil {
				return fmt.Errorf("look at network namespace: %w", err)
			}
			f(netns.Ref{Path: path, Inode: st.Ino, Boot: proc.BootID(), Name: "a network namespace to try it in"})
			return nil
		}()
	}()
	return <-done
}

// tryQueue binds a queue and makes a rule for it.
func tryQueue(ref netns.Ref, old *bool) string {
	q, err := nfqueue.Open(nfqueue.Config{Number: 7, Copy: 64, Length: 16})
	if err != nil {
		return "no packet queue: " + err.Error()
	}
	defer q.Close()
	try := func(family nft.Family, old bool) error {
		rule := nft.Queue(7)
		if old {
			rule = nft.OldQueue(7)
		}
		table, err := nft.Open(ref, nft.Table{Name: "belay_try", Family: family, Chains: []nft.Chain{
			{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: []nft.Rule{{Exprs: rule}}},
		}})
		if err == nil {
			err = table.Close()
		}
		return err
	}
	if err = try(nft.Inet, false); err == nil {
		return ""
	}
	if err := try(nft.IPv4, true); err == nil {
		*old = true
		return ""
	}
	return "no packet queue: " + err.Error()
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
