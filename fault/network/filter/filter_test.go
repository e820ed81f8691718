package filter_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault/network/filter"
)

// names is a lookup without a network.
func names(_ context.Context, _, host string) ([]netip.Addr, error) {
	switch host {
	case "db.example":
		return []netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("10.0.0.1")}, nil
	case "empty.example":
		return nil, nil
	case "broken.example":
		return nil, errors.New("server misbehaving")
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func TestResolve(t *testing.T) {
	peers, err := filter.Resolve(t.Context(), names, []string{"db.example:5432", "10.1.0.0/16", "[fd00::2]:53", "fd00::3", "10.0.0.9", "::ffff:10.2.0.0/112"}, []uint16{80, 443})
	if err != nil {
		t.Fatal(err)
	}
	f := filter.Filter{To: peers, Protocol: filter.TCP, Direction: filter.Both}
	want := "tcp to and from db.example:5432 (10.0.0.1, fd00::1), 10.1.0.0/16 port 80, 443, [fd00::2]:53, fd00::3 port 80, 443, 10.0.0.9 port 80, 443, ::ffff:10.2.0.0/112 port 80, 443 (10.2.0.0/16)"
	if f.String() != want {
		t.Errorf("resolved to\n%s, want\n%s", f, want)
	}
}

func TestResolveRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "give a host, host:port, address or network such as 10.1.0.0/16",
		" db":                 "give a host, host:port, address or network such as 10.1.0.0/16",
		"10.0.0.1/33":         `"10.0.0.1/33" is no network: give one such as 10.1.0.0/16`,
		"10.0.0.1/24":         `"10.0.0.1/24" has bits behind its mask: did you mean 10.0.0.0/24 or 10.0.0.1?`,
		"db:0":                `"db:0": port "0" is not 1 to 65535`,
		"db:65536":            `"db:65536": port "65536" is not 1 to 65535`,
		"db:http":             `"db:http": port "http" is not 1 to 65535`,
		"db:":                 `"db:" has no port behind its colon`,
		"10.0.0":              `"10.0.0" is neither an address nor a name of a host`,
		"1:2:3":               `"1:2:3" is neither an address nor a name of a host`,
		"http://db":           `"http://db" is no network: give one such as 10.1.0.0/16`,
		"db example":          `"db example" is neither an address nor a name of a host`,
		"nobody.example:80":   "nobody.example is no host that this system knows: its name has no address",
		"empty.example":       "empty.example is no host that this system knows: its name has no address",
		"broken.example:5432": "look up broken.example: server misbehaving",
	} {
		if _, err := filter.Resolve(t.Context(), names, []string{text}, nil); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	peer := func(prefix string, ports ...uint16) filter.Filter {
		return filter.Filter{To: []filter.Peer{{Nets: []netip.Prefix{netip.MustParsePrefix(prefix)}, Ports: ports}}, Protocol: filter.Any, Direction: filter.Both}
	}
	packet := func(out bool, peer string, protocol uint8, port uint16) filter.Packet {
		return filter.Packet{Out: out, Peer: netip.MustParseAddr(peer), Protocol: protocol, Port: port}
	}
	with := func(f filter.Filter, p filter.Protocol, d filter.Direction) filter.Filter {
		f.Protocol, f.Direction = p, d
		return f
	}
	const icmp, tcp, udp, icmp6 = 1, 6, 17, 58
	for _, c := range []struct {
		name string
		f    filter.Filter
		p    filter.Packet
		want bool
	}{
		{"any to a host", peer("10.0.0.1/32"), packet(true, "10.0.0.1", icmp, 0), true},
		{"its neighbour", peer("10.0.0.1/32"), packet(true, "10.0.0.2", icmp, 0), false},
		{"IPv4 in IPv6", peer("10.0.0.1/32"), packet(true, "::ffff:10.0.0.1", tcp, 1), true},
		{"in a network", peer("10.0.0.0/8"), packet(false, "10.200.0.1", udp, 1), true},
		{"its port", peer("10.0.0.1/32", 80, 81), packet(true, "10.0.0.1", udp, 81), true},
		{"another port", peer("10.0.0.1/32", 80, 81), packet(true, "10.0.0.1", tcp, 82), false},
		{"ping to a port", peer("10.0.0.1/32", 80), packet(true, "10.0.0.1", icmp, 0), false},
		{"only what goes out", with(peer("10.0.0.1/32"), filter.Any, filter.Out), packet(false, "10.0.0.1", tcp, 80), false},
		{"only what comes in", with(peer("10.0.0.1/32"), filter.Any, filter.In), packet(false, "10.0.0.1", tcp, 80), true},
		{"TCP only", with(peer("10.0.0.1/32"), filter.TCP, filter.Both), packet(true, "10.0.0.1", udp, 80), false},
		{"ICMP of IPv6", with(peer("fd00::/8"), filter.ICMP, filter.Both), packet(true, "fd00::1", icmp6, 0), true},
		{"ICMP of IPv4 in IPv6", with(peer("fd00::/8"), filter.ICMP, filter.Both), packet(true, "fd00::1", icmp, 0), false},
	} {
		if got := c.f.Match(c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// FuzzSelector never panics, and what it takes can be resolved without asking again.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"db:5432", "10.0.0.1", "[fd00::1]:53", "10.0.0.0/8", "::", ":::", "[", "[::1", "a:b:c", "1/2/3", "%", "fe80::1%eth0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if filter.CheckSelector(s) != nil {
			return
		}
		lookup := func(_ context.Context, _, host string) ([]netip.Addr, error) {
			if strings.ContainsAny(host, ":/[] \n") {
				t.Errorf("%q asks for the name %q", s, host)
			}
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
		peers, err := filter.Resolve(t.Context(), lookup, []string{s}, nil)
		if err != nil || len(peers) != 1 || len(peers[0].Nets) == 0 || (len(peers[0].Ports) == 1) != filter.HasPort(s) {
			t.Errorf("%q: %+v, %v", s, peers, err)
		}
	})
}
