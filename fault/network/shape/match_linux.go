package shape

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/network/filter"
)

// prefix is a network of peers.
type prefix = netip.Prefix

// match is what one filter of a queueing discipline looks for in packets that go out.
type match struct {
	eth   uint16
	to    prefix
	proto uint8  // 0 is every one
	port  uint16 // 0 is every one
}

// matches are those of a filter. A packet that meets two of them is still taken once.
func matches(f filter.Filter) []match {
	var all []match
	for _, peer := range f.To {
		for _, n := range peer.Nets {
			m := match{eth: unix.ETH_P_IP, to: n.Masked()}
			if n.Addr().Is6() {
				m.eth = unix.ETH_P_IPV6
			}
			protocols := f.Protocol.Numbers(n.Addr().Is6())
			if protocols == nil && len(peer.Ports) > 0 {
				protocols = []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP}
			}
			if protocols == nil {
				all = append(all, m)
			}
			for _, m.proto = range protocols {
				if len(peer.Ports) == 0 {
					all = append(all, m)
				}
				for _, m.port = range peer.Ports {
					all = append(all, m)
				}
			}
		}
	}
	return all
}

func (m match) attrs(link int, handle uint16) netlink.FilterAttrs {
	a := netlink.FilterAttrs{LinkIndex: link, Parent: netlink.MakeHandle(handle, 0), Priority: 1, Protocol: m.eth}
	if m.eth == unix.ETH_P_IPV6 {
		a.Priority = 2
	}
	return a
}

// flower is the match as the flower filter has it.
func (m match) flower(link int, handle, band uint16) netlink.Filter {
	f := &netlink.Flower{FilterAttrs: m.attrs(link, handle), ClassId: netlink.MakeHandle(handle, band), EthType: m.eth}
	if m.to.Bits() > 0 {
		f.DestIP = m.to.Addr().AsSlice()
		f.DestIPMask = mask(m.to)
	}
	if m.proto != 0 {
		p := nl.IPProto(m.proto)
		f.IPProto = &p
		f.DestPort = m.port
	}
	return f
}

func mask(p prefix) []byte {
	b := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

// u32 is the match for kernels without flower. It does not see ports behind options of IPv4 or extensions of IPv6.
func (m match) u32(link int, handle, band uint16) netlink.Filter {
	var keys []netlink.TcU32Key
	key := func(off int32, mask, val uint32) {
		keys = append(keys, netlink.TcU32Key{Off: off, Mask: mask, Val: val & mask})
	}
	at, proto, ports := int32(16), int32(8), int32(20)
	protoShift := 16
	if m.eth == unix.ETH_P_IPV6 {
		at, proto, ports, protoShift = 24, 4, 40, 8
	}
	if m.to.Bits() > 0 {
		a, bits := m.to.Addr().AsSlice(), mask(m.to)
		for i := 0; i < len(a); i += 4 {
			if w := binary.BigEndian.Uint32(bits[i:]); w != 0 {
				key(at+int32(i), w, binary.BigEndian.Uint32(a[i:]))
			}
		}
	}
	if m.proto != 0 {
		key(proto, 0xff<<protoShift, uint32(m.proto)<<protoShift)
	}
	if m.port != 0 {
		if m.eth == unix.ETH_P_IP {
			key(0, 0x0f000000, 0x05000000) // no options
		}
		key(ports, 0xffff, uint32(m.port))
	}
	if len(keys) == 0 {
		key(0, 0, 0)
	}
	return &netlink.U32{
		FilterAttrs: m.attrs(link, handle), ClassId: netlink.MakeHandle(handle, band),
		Sel: &netlink.TcU32Sel{Flags: nl.TC_U32_TERMINAL, Nkeys: uint8(len(keys)), Keys: keys},
	}
}
