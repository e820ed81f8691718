package shape

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
)

// handleOf is the handle with which a fault begins its search for a free one. All of ours begin with be, and are even:
// the odd one above it is netem's.
func handleOf(id string) uint16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return 0xbe00 | uint16(h.Sum32())&0xfe
}

// maxMatches is how many filters one queueing discipline gets.
const maxMatches = 2048

// notNetem says what netem cannot do.
func notNetem(u *undo) string {
	switch {
	case u.Filter.Direction != filter.Out:
		return "netem acts on what goes out, and the direction is " + string(u.Filter.Direction)
	case u.Spec.Reorder > 0 && u.Spec.Delay > 0:
		return "netem cannot reorder and delay by different times"
	case len(matches(u.Filter)) > maxMatches:
		return fmt.Sprintf("%d addresses and ports are more than the %d that netem gets", len(matches(u.Filter)), maxMatches)
	}
	return ""
}

// inside calls f with a route socket of the namespace.
func inside(ref netns.Ref, f func(h *netlink.Handle) error) error {
	return ref.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open route socket: %w", err)
		}
		defer h.Close()
		return f(h)
	})
}

// findLines are the interfaces by which the packets leave. It says why not when one of them is not to be touched.
func findLines(u *undo, handle uint16) (lines []netemUndo, why string, err error) {
	err = inside(u.Netns, func(h *netlink.Handle) error {
		indexes, err := routes(h, u.Filter)
		if err != nil {
			return err
		}
		for _, index := range indexes {
			link, err := h.LinkByIndex(index)
			if err != nil {
				return fmt.Errorf("look at interface %d: %w", index, err)
			}
			all, err := h.QdiscList(link)
			if err != nil {
				return fmt.Errorf("list queueing disciplines of %s: %w", link.Attrs().Name, err)
			}
			root := rootOf(all)
			if root != nil && root.Attrs().Handle != 0 {
				why = fmt.Sprintf("%s has a queueing discipline of its own, %s %s, and Belay replaces only the kernel's",
					link.Attrs().Name, root.Type(), netlink.HandleStr(root.Attrs().Handle))
				return nil
			}
			lines = append(lines, netemUndo{Index: index, Name: link.Attrs().Name, Before: kinds(all), Handle: free(all, handle)})
		}
		return nil
	})
	return lines, why, err
}

// rootOf is the queueing discipline that takes what goes out; nil when there is none.
func rootOf(all []netlink.Qdisc) netlink.Qdisc {
	for _, q := range all {
		if q.Attrs().Parent == netlink.HANDLE_ROOT {
			return q
		}
	}
	return nil
}

// kinds are the queueing disciplines for a person: "mq, fq_codel".
func kinds(all []netlink.Qdisc) string {
	var names []string
	for _, q := range all {
		if p := q.Attrs().Parent; p != netlink.HANDLE_INGRESS && !slices.Contains(names, q.Type()) {
			names = append(names, q.Type())
		}
	}
	return strings.Join(names, ", ")
}

// free is a handle that nobody has, nor the one after it.
func free(all []netlink.Qdisc, handle uint16) uint16 {
	for range 128 {
		taken := slices.ContainsFunc(all, func(q netlink.Qdisc) bool { return uint16(q.Attrs().Handle>>16)&^1 == handle })
		if !taken {
			break
		}
		handle = 0xbe00 | (handle+2)&0xfe
	}
	return handle
}

// routes are the interfaces that the peers are reached by, in order.
func routes(h *netlink.Handle, f filter.Filter) ([]int, error) {
	found := map[int]bool{}
	for _, peer := range f.To {
		for _, n := range peer.Nets {
			if err := route(h, n, found); err != nil {
				return nil, err
			}
		}
	}
	var all []int
	for index := range found {
		all = append(all, index)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return nil, errors.New("no interface leads to " + names(f))
	}
	return all, nil
}

// route adds the interfaces by which a network is reached: that of its first address, and those of all routes inside it.
func route(h *netlink.Handle, n prefix, found map[int]bool) error {
	got, err := h.RouteGet(n.Addr().AsSlice())
	if err != nil && n.IsSingleIP() {
		return fmt.Errorf("no route to %s: %w", n.Addr(), err)
	}
	if !n.IsSingleIP() {
		family := netlink.FAMILY_V4
		if n.Addr().Is6() {
			family = netlink.FAMILY_V6
		}
		all, err := h.RouteList(nil, family)
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, r := range all {
			if r.Dst != nil && overlap(r, n) {
				got = append(got, r)
			}
		}
	}
	for _, r := range got {
		if r.LinkIndex > 0 {
			found[r.LinkIndex] = true
		}
		for _, hop := range r.MultiPath {
			found[hop.LinkIndex] = true
		}
	}
	return nil
}

// overlap says that a route, unless it is the default one, is about a part of a network.
func overlap(r netlink.Route, n prefix) bool {
	ones, _ := r.Dst.Mask.Size()
	return ones > 0 && (n.Contains(addrOf(r.Dst.IP)) || r.Dst.Contains(n.Addr().AsSlice()))
}
