package dns

import (
	"bufio"
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// mostServers is how many servers a resolv.conf has; resolvers read no more.
const mostServers = 3

// servers reads the name servers of a resolv.conf.
func servers(text []byte) []netip.AddrPort {
	var out []netip.AddrPort
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() && len(out) < mostServers {
		f := strings.Fields(lines.Text())
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	return out
}

// hosted says that a hosts file has the name, so that nobody asks a server for it.
func hosted(text []byte, name string) bool {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		f := strings.Fields(strings.ToLower(line))
		if len(f) > 1 && slices.ContainsFunc(f[1:], func(n string) bool { return strings.TrimSuffix(n, ".")+"." == name }) {
			return true
		}
	}
	return false
}
