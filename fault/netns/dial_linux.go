package netns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Dial connects from the namespace. The address must be of numbers, because names are looked up by other threads. Once it
// is made, a connection may be used from everywhere.
func (r Ref) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial from %s: %w", r.Name, err)
	}
	err = r.Do(func() error {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Lookup asks for the addresses of a name, as somebody in the namespace would: with the hosts file and the name servers of this
// host, over the namespace's network.
func (r Ref) Lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	resolver := net.Resolver{PreferGo: true, Dial: r.Dial}
	return resolver.LookupNetIP(ctx, network, host)
}
