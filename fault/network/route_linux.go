package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/netns"
)

// ours is the protocol number that our routes carry, so that they can be told from others. It is one that no routing
// program uses.
const ours netlink.RouteProtocol = 190

// route is a blackhole route.
type route struct {
	Net netip.Prefix `json:"net"`
	// Made says that it was in place.
	Made bool `json:"made,omitempty"`
}

// raw is the route for the kernel.
func (r route) raw() *netlink.Route {
	return &netlink.Route{
		Dst:      &net.IPNet{IP: r.Net.Masked().Addr().AsSlice(), Mask: net.CIDRMask(r.Net.Bits(), r.Net.Addr().BitLen())},
		Type:     unix.RTN_BLACKHOLE,
		Protocol: ours,
		Table:    unix.RT_TABLE_MAIN,
		Priority: metric,
	}
}

// metric is that of our routes: an odd one, another mark of them, and the same for IPv4 and IPv6.
const metric = 77

// planRoutes refuses routes that exist already and hosts that no route leads away to.
func planRoutes(u *undo, p *fault.Plan) error {
	p.Class = fault.Restore
	for _, peer := range u.Filter.To {
		for _, n := range peer.Nets {
			r := route{Net: n}
			all, err := r.equal(u.Netns)
			if err != nil {
				return err
			}
			if len(all) > 0 {
				return fmt.Errorf("%s has a route to exactly %s already (%s): take partition with how: drop", u.Netns.Name, n, kindOf(all[0]))
			}
			if err := r.away(u.Netns); err != nil {
				return err
			}
			u.Routes = append(u.Routes, r)
			p.Changes = append(p.Changes, fmt.Sprintf("add blackhole route to %s in %s", n, u.Netns.Name))
		}
	}
	return nil
}

// away refuses addresses of this namespace itself: what goes there never looks at our routes.
func (r route) away(ref netns.Ref) error {
	return ref.Do(func() error {
		found, err := netlink.RouteGet(r.Net.Addr().AsSlice())
		if err != nil {
			return fmt.Errorf("there is no way from %s to %s: %w", ref.Name, r.Net, err)
		}
		for _, f := range found {
			if f.Type == unix.RTN_LOCAL && r.Net.IsSingleIP() {
				return fmt.Errorf("%s is an address of %s itself, where no route can cut it off: take partition with how: drop", r.Net.Addr(), ref.Name)
			}
		}
		return nil
	})
}

func kindOf(r netlink.Route) string {
	if r.Type == unix.RTN_BLACKHOLE {
		return "a blackhole"
	}
	if r.Gw != nil {
		return "by " + r.Gw.String()
	}
	return "by a device"
}

// equal are the routes to exactly this network in the main table.
func (r route) equal(ref netns.Ref) ([]netlink.Route, error) {
	family := unix.AF_INET
	if r.Net.Addr().Is6() {
		family = unix.AF_INET6
	}
	var out []netlink.Route
	err := ref.Do(func() error {
		all, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, f := range all {
			if f.Dst == nil {
				continue
			}
			a, _ := netip.AddrFromSlice(f.Dst.IP)
			ones, _ := f.Dst.Mask.Size()
			if netip.PrefixFrom(a.Unmap(), ones) == r.Net.Masked() {
				out = append(out, f)
			}
		}
		return nil
	})
	return out, err
}

// isOurs says that a route is as we make them.
func isOurs(r netlink.Route) bool {
	return r.Type == unix.RTN_BLACKHOLE && r.Protocol == ours && r.Priority == metric
}

// routes cut by routes.
type routes struct{}

func (routes) inject(u *undo, save func() error) error {
	for i := range u.Routes {
		r := &u.Routes[i]
		if err := u.Netns.Do(func() error { return netlink.RouteAdd(r.raw()) }); err != nil {
			return fmt.Errorf("add blackhole route to %s: %w", r.Net, err)
		}
		r.Made = true
	}
	return save()
}

func (routes) seen(*undo) (uint64, bool, error) { return 0, false, nil }

// revert deletes the routes that are as we made them. Those that are not there, or are somebody else's, are left.
func (routes) revert(_ context.Context, u *undo) (fault.Outcome, error) {
	var out fault.Outcome
	var errs []error
	for _, r := range u.Routes {
		all, err := r.equal(u.Netns)
		if errors.Is(err, netns.ErrGone) {
			return superseded("%s is gone", u.Netns.Name), nil
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found := false
		for _, f := range all {
			if isOurs(f) {
				found = true
				errs = append(errs, u.Netns.Do(func() error { return netlink.RouteDel(r.raw()) }))
			}
		}
		if !found && len(all) > 0 && r.Made {
			out.Superseded = append(out.Superseded, fmt.Sprintf("somebody made another route to %s", r.Net))
		}
	}
	return out, errors.Join(errs...)
}

func (routes) residue(_ context.Context, u *undo) ([]string, error) {
	var left []string
	for _, r := range u.Routes {
		all, err := r.equal(u.Netns)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			if isOurs(f) {
				left = append(left, fmt.Sprintf("blackhole route to %s in %s", r.Net, u.Netns.Name))
			}
		}
	}
	return left, nil
}
