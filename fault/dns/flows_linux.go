package dns

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
)

// The kernel remembers where it sends a flow: a client that asks from one port all the time would not notice the fault when
// it begins, nor its end. So what is remembered of flows to port 53 is deleted at both times.

// flow says which flows are meant.
type flow func(*netlink.ConntrackFlow) bool

// MatchConntrackFlow makes it a filter.
func (f flow) MatchConntrackFlow(c *netlink.ConntrackFlow) bool { return f(c) }

// questions are all flows to port 53.
func questions(c *netlink.ConntrackFlow) bool { return c.Forward.DstPort == 53 }

// redirected are those that come to us.
func redirected(port uint16) flow {
	return func(c *netlink.ConntrackFlow) bool { return questions(c) && c.Reverse.SrcPort == port }
}

// families are both that there are.
func families() []netlink.InetFamily { return []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} }

// flows lets f work with what the kernel remembers in a namespace. A kernel that does not tell has nothing to delete either.
func flows(ref netns.Ref, f func(*netlink.Handle) error) error {
	err := ref.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer h.Close()
		return f(h)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// forgetFlows deletes them.
func forgetFlows(ref netns.Ref, which flow) error {
	return flows(ref, func(h *netlink.Handle) error {
		for _, family := range families() {
			if _, err := h.ConntrackDeleteFilters(netlink.ConntrackTable, family, which); err != nil {
				return fmt.Errorf("forget flows to port 53: %w", err)
			}
		}
		return nil
	})
}

// leftFlows are how many there are.
func leftFlows(ref netns.Ref, which flow) (n int, err error) {
	err = flows(ref, func(h *netlink.Handle) error {
		for _, family := range families() {
			all, err := h.ConntrackTableList(netlink.ConntrackTable, family)
			if err != nil {
				return fmt.Errorf("list flows to port 53: %w", err)
			}
			for _, c := range all {
				if which(c) {
					n++
				}
			}
		}
		return nil
	})
	return n, err
}
