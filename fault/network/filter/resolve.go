package filter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lookup asks for the addresses of a name, as net.Resolver.LookupNetIP does.
type Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

// lookupBound is how long a name may take.
const lookupBound = 5 * time.Second

// CheckSelector says what is wrong with a selector: host, host:port, address, address:port, [v6]:port or a network in CIDR
// form.
func CheckSelector(text string) error {
	if strings.TrimSpace(text) != text || text == "" {
		return errors.New("give a host, host:port, address or network such as 10.1.0.0/16")
	}
	if strings.Contains(text, "/") {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("%q is no network: give one such as 10.1.0.0/16", text)
		}
		if n.Masked() != n {
			return fmt.Errorf("%q has bits behind its mask: did you mean %s or %s?", text, n.Masked(), n.Addr())
		}
		return nil
	}
	host, port := split(text)
	if port == "" && strings.Count(text, ":") == 1 || strings.HasSuffix(text, ":") && !strings.HasSuffix(text, "::") {
		return fmt.Errorf("%q has no port behind its colon", text)
	}
	if port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q: port %q is not 1 to 65535", text, port)
		}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if !validHost(host) {
		return fmt.Errorf("%q is neither an address nor a name of a host", text)
	}
	return nil
}

func validHost(host string) bool {
	if host == "" || len(host) > 253 || strings.HasPrefix(host, "-") {
		return false
	}
	letters := false
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
			letters = true
		case r >= '0' && r <= '9', r == '-', r == '.':
		default:
			return false
		}
	}
	return letters // digits and dots alone are a mistyped address
}

// split takes a selector apart. An IPv6 address without brackets has no port.
func split(text string) (host, port string) {
	if _, err := netip.ParseAddr(text); err == nil {
		return text, ""
	}
	if h, p, err := net.SplitHostPort(text); err == nil {
		return h, p
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), ""
}

// HasPort says that a selector names a port.
func HasPort(text string) bool {
	_, has := portOf(text)
	return has
}

// portOf is the port that a selector names.
func portOf(text string) (uint16, bool) {
	if strings.Contains(text, "/") {
		return 0, false
	}
	_, port := split(text)
	n, err := strconv.ParseUint(port, 10, 16)
	return uint16(n), err == nil && port != ""
}

// Resolve finds the addresses of each selector. Ports are for those that name none.
func Resolve(ctx context.Context, lookup Lookup, to []string, ports []uint16) ([]Peer, error) {
	var out []Peer
	for _, text := range to {
		if err := CheckSelector(text); err != nil {
			return nil, err
		}
		p := Peer{Text: text, Ports: ports}
		if port, own := portOf(text); own {
			p.Ports = []uint16{port}
		}
		if n, err := netip.ParsePrefix(text); err == nil {
			p.Nets = []netip.Prefix{plain(n)}
			out = append(out, p)
			continue
		}
		host, _ := split(text)
		if a, err := netip.ParseAddr(host); err == nil {
			p.Nets = []netip.Prefix{single(a)}
			out = append(out, p)
			continue
		}
		nets, err := addresses(ctx, lookup, host)
		if err != nil {
			return nil, err
		}
		p.Nets = nets
		out = append(out, p)
	}
	return out, nil
}

func addresses(ctx context.Context, lookup Lookup, host string) ([]netip.Prefix, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupBound)
	defer cancel()
	found, err := lookup(ctx, "ip", host)
	if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
		return nil, fmt.Errorf("%s is no host that this system knows: its name has no address", host)
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	var nets []netip.Prefix
	for _, a := range found {
		if n := single(a); !slices.Contains(nets, n) {
			nets = append(nets, n)
		}
	}
	if len(nets) == 0 {
		return nil, fmt.Errorf("%s is no host that this system knows: its name has no address", host)
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return nets, nil
}

func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

// plain writes an IPv4 network that is given in IPv6 form as IPv4.
func plain(n netip.Prefix) netip.Prefix {
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
	}
	return n
}
