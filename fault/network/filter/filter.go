// Package filter says which packets a fault of the network is about: by peer, port, protocol and direction. It is pure
// but for Resolve, which asks for the addresses of names. Start at Filter and its Match, which is what every engine must
// do.
package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Protocol is what is carried in the IP packets.
type Protocol string

// The protocols. ICMP is ICMPv6 too.
const (
	Any  Protocol = "any"
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	ICMP Protocol = "icmp"
)

// Direction is seen from the network namespace in which the fault is made.
type Direction string

// The directions.
const (
	Out  Direction = "out"
	In   Direction = "in"
	Both Direction = "both"
)

// Peer is one selector of a config, and the addresses it stands for.
type Peer struct {
	// Text is what the config says: "db.example:5432", "10.1.0.0/16".
	Text string `json:"text"`
	// Nets are its addresses; a single one is a prefix of all bits. IPv4 is never written as IPv6. Empty before Resolve.
	Nets []netip.Prefix `json:"nets"`
	// Ports of the peer; none is every port.
	Ports []uint16 `json:"ports,omitempty"`
}

// Filter is a set of packets. A packet that goes out belongs to it by its destination and its destination port, one that
// comes in by its source and its source port.
type Filter struct {
	To        []Peer    `json:"to"`
	Protocol  Protocol  `json:"protocol"`
	Direction Direction `json:"direction"`
}

// Packet is what a filter looks at.
type Packet struct {
	// Out says that it leaves the namespace.
	Out bool
	// Peer is the other end: its destination when it goes out, its source when it comes in.
	Peer netip.Addr
	// Protocol is the number in the IP header.
	Protocol uint8
	// Port is the peer's; 0 where the protocol has none.
	Port uint16
}

// The protocol numbers.
const (
	icmp4 = 1
	tcp   = 6
	udp   = 17
	icmp6 = 58
)

// Numbers are the protocol numbers of p in packets of this IP version. None is every protocol.
func (p Protocol) Numbers(v6 bool) []uint8 {
	switch {
	case p == TCP:
		return []uint8{tcp}
	case p == UDP:
		return []uint8{udp}
	case p == ICMP && v6:
		return []uint8{icmp6}
	case p == ICMP:
		return []uint8{icmp4}
	}
	return nil
}

// Has says that packets of this direction belong to d.
func (d Direction) Has(out bool) bool { return d == Both || (d == Out) == out }

// Match says whether a packet belongs to the filter. A selector with ports is only about TCP and UDP.
func (f Filter) Match(p Packet) bool {
	if !f.Direction.Has(p.Out) {
		return false
	}
	addr := p.Peer.Unmap().WithZone("")
	if n := f.Protocol.Numbers(addr.Is6()); n != nil && !slices.Contains(n, p.Protocol) {
		return false
	}
	return slices.ContainsFunc(f.To, func(peer Peer) bool {
		if len(peer.Ports) > 0 && (p.Protocol != tcp && p.Protocol != udp || !slices.Contains(peer.Ports, p.Port)) {
			return false
		}
		return slices.ContainsFunc(peer.Nets, func(n netip.Prefix) bool { return n.Contains(addr) })
	})
}

// String is the filter for a person: "tcp to and from db:5432 (10.0.0.2)".
func (f Filter) String() string {
	way := map[Direction]string{Out: "to", In: "from", Both: "to and from"}[f.Direction]
	what := "everything"
	if f.Protocol != Any {
		what = string(f.Protocol)
	}
	var to []string
	for _, p := range f.To {
		to = append(to, p.String())
	}
	return fmt.Sprintf("%s %s %s", what, way, strings.Join(to, ", "))
}

// String is the peer for a person, with its addresses when they are not in its text.
func (p Peer) String() string {
	var nets []string
	for _, n := range p.Nets {
		s := n.String()
		if n.IsSingleIP() {
			s = n.Addr().String()
		}
		if !strings.Contains(p.Text, s) {
			nets = append(nets, s)
		}
	}
	text := p.Text
	if _, own := portOf(p.Text); !own && len(p.Ports) > 0 {
		var ports []string
		for _, port := range p.Ports {
			ports = append(ports, strconv.Itoa(int(port)))
		}
		text += " port " + strings.Join(ports, ", ")
	}
	if len(nets) == 0 {
		return text
	}
	return text + " (" + strings.Join(nets, ", ") + ")"
}
