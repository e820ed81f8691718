package nft_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/network/nft"
)

// drawAddr draws from a small world, so that packets and filters meet often.
func drawAddr(t *rapid.T, label string) netip.Addr {
	b := rapid.ByteRange(0, 3)
	if rapid.Bool().Draw(t, label+" is IPv6") {
		return netip.AddrFrom16([16]byte{0xfd, b.Draw(t, label), 14: b.Draw(t, label), 15: b.Draw(t, label)})
	}
	return netip.AddrFrom4([4]byte{127, b.Draw(t, label), b.Draw(t, label), 1 + b.Draw(t, label)})
}

func drawFilter(t *rapid.T) filter.Filter {
	f := filter.Filter{
		Protocol:  rapid.SampledFrom([]filter.Protocol{filter.Any, filter.TCP, filter.UDP, filter.ICMP}).Draw(t, "protocol"),
		Direction: rapid.SampledFrom([]filter.Direction{filter.Out, filter.In, filter.Both}).Draw(t, "direction"),
	}
	for range rapid.IntRange(1, 3).Draw(t, "peers") {
		var p filter.Peer
		for range rapid.IntRange(1, 2).Draw(t, "nets") {
			a := drawAddr(t, "net")
			p.Nets = append(p.Nets, netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")))
		}
		for range rapid.IntRange(0, 2).Draw(t, "ports") {
			p.Ports = append(p.Ports, rapid.Uint16Range(7, 10).Draw(t, "port"))
		}
		f.To = append(f.To, p)
	}
	return f
}

func drawPacket(t *rapid.T) filter.Packet {
	p := filter.Packet{Out: rapid.Bool().Draw(t, "out"), Peer: drawAddr(t, "peer")}
	p.Protocol = rapid.SampledFrom([]uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP, 132}).Draw(t, "protocol of the packet")
	p.Port = rapid.Uint16Range(7, 10).Draw(t, "port of the packet")
	if rapid.IntRange(0, 4).Draw(t, "ping") == 0 {
		p.Protocol, p.Port = unix.IPPROTO_ICMP, 0
		if p.Peer.Is6() {
			p.Protocol = unix.IPPROTO_ICMPV6
		}
	}
	return p
}

// TestRulesMeanTheFilter carries out the rules as the kernel would, and compares with what the filter says.
func TestRulesMeanTheFilter(t *testing.T) {
	met := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		f, p := drawFilter(t), drawPacket(t)
		for _, family := range []nft.Family{nft.Inet, nft.IPv4, nft.IPv6} {
			if family == nft.IPv4 && p.Peer.Is6() || family == nft.IPv6 && p.Peer.Is4() {
				continue
			}
			got := slices.ContainsFunc(nft.Match(family, f, p.Out), func(rule []expr.Any) bool { return holds(t, rule, p) })
			if want := f.Match(p); got != want {
				t.Fatalf("family %d: the rules say %v and the filter %v\n%+v\n%+v", family, got, want, f, p)
			}
			met[got]++
		}
	})
	if met[true] == 0 || met[false] == 0 {
		t.Errorf("met %v: this tests nothing", met)
	}
}

// holds carries out expressions over a packet.
func holds(t *rapid.T, rule []expr.Any, p filter.Packet) bool {
	network, transport := headers(p)
	var register []byte
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Meta:
			switch e.Key {
			case expr.MetaKeyNFPROTO:
				register = []byte{unix.NFPROTO_IPV4}
				if p.Peer.Is6() {
					register = []byte{unix.NFPROTO_IPV6}
				}
			case expr.MetaKeyL4PROTO:
				register = []byte{p.Protocol}
			}
		case *expr.Payload:
			from := network
			if e.Base == expr.PayloadBaseTransportHeader {
				from = transport
			}
			register = slices.Clone(from[e.Offset : e.Offset+e.Len])
		case *expr.Bitwise:
			for i := range register {
				register[i] = register[i]&e.Mask[i] ^ e.Xor[i]
			}
		case *expr.Cmp:
			if e.Op != expr.CmpOpEq || len(register) != len(e.Data) {
				t.Fatalf("%+v with %d bytes", e, len(register))
			}
			if !bytes.Equal(register, e.Data) {
				return false
			}
		default:
			t.Fatalf("%T", e)
		}
	}
	return true
}

// headers are those of a packet; this side has an address and a port that no filter names.
func headers(p filter.Packet) (network, transport []byte) {
	own := netip.MustParseAddr("203.0.113.1")
	offset, size := 12, 20
	if p.Peer.Is6() {
		own, offset, size = netip.MustParseAddr("2001:db8::1"), 8, 40
	}
	ends := [][]byte{own.AsSlice(), p.Peer.AsSlice()} // source, destination
	ports := []uint16{40000, p.Port}
	if !p.Out {
		slices.Reverse(ends)
		slices.Reverse(ports)
	}
	network = append(make([]byte, offset, size), slices.Concat(ends...)...)
	transport = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, ports[0]), ports[1])
	return network, append(transport, make([]byte, 16)...)
}

// TestKernelMeansTheFilter sends real datagrams, and compares with what the filter says: the kernel refuses the ones that are
// dropped on their way out.
func TestKernelMeansTheFilter(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	nettest.Run(t, "ip", "-n", here.Name, "-6", "route", "add", "local", "fd00::/8", "dev", "lo")
	nettest.Run(t, "ip", "-n", here.Name, "-6", "address", "add", "fd00::9", "dev", "lo", "nodad")
	met := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(t)
		table, err := nft.Open(here.Ref, nft.Table{Name: "belay-test", Family: nft.Inet, Chains: []nft.Chain{
			{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: nft.Rules("", nft.Match(nft.Inet, f, true), nft.Drop())},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer table.Close()
		for range 20 {
			p := filter.Packet{Out: true, Protocol: unix.IPPROTO_UDP, Peer: drawAddr(t, "peer"), Port: rapid.Uint16Range(7, 10).Draw(t, "port of the packet")}
			err := sends(here, p)
			if err != nil && !errors.Is(err, unix.EPERM) {
				t.Fatalf("%+v: %v", p, err)
			}
			if got, want := err != nil, f.Match(p); got != want {
				t.Fatalf("the kernel says %v and the filter %v\n%+v\n%+v", got, want, f, p)
			}
			met[err != nil]++
		}
	})
	if met[true] == 0 || met[false] == 0 {
		t.Errorf("met %v: this tests nothing", met)
	}
}

func sends(from nettest.Side, p filter.Packet) error {
	return from.Ref.Do(func() error {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Peer, p.Port)))
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		defer c.Close()
		_, err = c.Write([]byte("x"))
		return err
	})
}
