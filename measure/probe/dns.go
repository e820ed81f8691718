package probe

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Probe looks the name up without any cache of this process.
func (c *DNS) Probe(ctx context.Context) Answer {
	ctx, cancel := withTimeout(ctx, c.Timeout)
	defer cancel()
	began := time.Now()
	resolver := &net.Resolver{PreferGo: true}
	if c.Server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.Server)
		}
	}
	addresses, err := resolver.LookupHost(ctx, c.Name)
	slices.Sort(addresses)
	a := Answer{Outcome: measure.OK, Address: strings.Join(addresses, ", ")}
	switch {
	case err != nil:
		a = answer(ctx, err)
	case c.Equals != "" && !slices.ContainsFunc(addresses, func(have string) bool { return sameAddress(have, c.Equals) }):
		a.Outcome, a.Reason = measure.Fail, c.Name+" is "+a.Address+", expected "+c.Equals
	}
	a.Explain = Explanation{
		Asked:   "look up " + c.Name,
		Got:     strings.Join(addresses, "\n"),
		Timings: []Timing{{Name: "lookup", Took: time.Since(began)}},
	}
	return a
}

func sameAddress(a, b string) bool {
	left, err1 := netip.ParseAddr(a)
	right, err2 := netip.ParseAddr(b)
	return a == b || err1 == nil && err2 == nil && left.Unmap() == right.Unmap()
}
