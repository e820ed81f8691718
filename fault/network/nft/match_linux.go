package nft

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/network/filter"
)

// reg is the register through which all comparisons go.
const reg = 1

// Match are the expressions of the rules that together are true for the packets of a filter that go out, or for those
// that come in, and for no others. Each element is one rule; a packet may meet more than one of them. None are returned
// when the filter is not about that direction. In a table of one family only, the addresses of the other are left out.
func Match(family Family, f filter.Filter, out bool) [][]expr.Any {
	if !f.Direction.Has(out) {
		return nil
	}
	var rules [][]expr.Any
	for _, peer := range f.To {
		for _, n := range peer.Nets {
			v6 := n.Addr().Is6()
			if family == IPv4 && v6 || family == IPv6 && !v6 {
				continue
			}
			protocols := f.Protocol.Numbers(v6)
			if len(peer.Ports) > 0 && protocols == nil {
				protocols = []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP}
			}
			for _, rest := range transport(protocols, peer.Ports, out) {
				rules = append(rules, slices.Concat(address(family, n, out), rest))
			}
		}
	}
	return rules
}

// transport are the alternatives of what is behind the IP header.
func transport(protocols []uint8, ports []uint16, out bool) [][]expr.Any {
	if protocols == nil {
		return [][]expr.Any{nil}
	}
	var all [][]expr.Any
	for _, p := range protocols {
		if len(ports) == 0 {
			all = append(all, Protocol(p))
			continue
		}
		if p != unix.IPPROTO_TCP && p != unix.IPPROTO_UDP {
			continue
		}
		for _, port := range ports {
			all = append(all, slices.Concat(Protocol(p), Port(port, out)))
		}
	}
	return all
}

// equal compares the register.
func equal(data []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: reg, Data: data} }

// Protocol is true for one protocol behind the IP header.
func Protocol(number uint8) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg}, equal([]byte{number})}
}

// Port is true for a port of the peer. The protocol must have been matched before.
func Port(port uint16, out bool) []expr.Any {
	offset := uint32(0)
	if out {
		offset = 2
	}
	return []expr.Any{
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		equal(binary.BigEndian.AppendUint16(nil, port)),
	}
}

// address is true for peers in a network.
func address(family Family, n netip.Prefix, out bool) []expr.Any {
	n = n.Masked()
	proto, offset := byte(unix.NFPROTO_IPV4), uint32(12)
	if n.Addr().Is6() {
		proto, offset = unix.NFPROTO_IPV6, 8
	}
	data := n.Addr().AsSlice()
	size := uint32(len(data))
	if out {
		offset += size
	}
	var all []expr.Any
	if family == Inet {
		all = append(all, &expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg}, equal([]byte{proto}))
	}
	if n.Bits() == 0 {
		return all
	}
	all = append(all, &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size})
	if !n.IsSingleIP() {
		mask := make([]byte, size)
		for i := range n.Bits() {
			mask[i/8] |= 0x80 >> (i % 8)
		}
		all = append(all, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: size, Mask: mask, Xor: make([]byte, size)})
	}
	return append(all, equal(data))
}

// Count counts the packets that come so far.
func Count() expr.Any { return &expr.Counter{} }

// Drop loses a packet.
func Drop() []expr.Any { return []expr.Any{Count(), &expr.Verdict{Kind: expr.VerdictDrop}} }

// Accept lets a packet pass this chain.
func Accept() []expr.Any { return []expr.Any{Count(), &expr.Verdict{Kind: expr.VerdictAccept}} }

// Reset answers with a TCP reset. The rule must have matched TCP before.
func Reset() []expr.Any {
	return []expr.Any{Count(), &expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}
}

// Unreachable answers with an ICMP error that says that nobody listens on the port. It is for tables of the family Inet.
func Unreachable() []expr.Any {
	return []expr.Any{Count(), &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}}
}

// chances is in how many parts Lose divides.
const chances = 1_000_000

// Lose loses this many percent of the packets, at random.
func Lose(percent float64) []expr.Any {
	return slices.Concat(Chance(percent), Drop())
}

// Chance is true for this many percent of the packets, at random.
func Chance(percent float64) []expr.Any {
	n := uint32(percent/100*chances + 0.5)
	if n >= chances {
		return nil
	}
	return []expr.Any{
		&expr.Numgen{Register: reg, Modulus: chances, Type: unix.NFT_NG_RANDOM},
		&expr.Byteorder{SourceRegister: reg, DestRegister: reg, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{Op: expr.CmpOpLt, Register: reg, Data: binary.BigEndian.AppendUint32(nil, n)},
	}
}

// Queue hands packets to the program that listens on a queue. Without one they pass.
func Queue(num uint16) []expr.Any {
	return []expr.Any{Count(), &expr.Queue{Num: num, Total: 1, Flag: expr.QueueFlagBypass}}
}

// OldQueue is Queue for kernels without the expression for it. It works in tables of the families IPv4 and IPv6 only.
func OldQueue(num uint16) []expr.Any {
	info := make([]byte, 0, 8)
	info = binary.NativeEndian.AppendUint16(info, num)
	info = binary.NativeEndian.AppendUint16(info, 1) // one queue
	info = binary.NativeEndian.AppendUint16(info, 1) // bypass
	raw := xt.Unknown(append(info, 0, 0))
	return []expr.Any{Count(), &expr.Target{Name: "NFQUEUE", Rev: 3, Info: &raw}}
}

// Redirect sends packets to a port of this host instead. The chain must be NAT, at the hook Output or Prerouting, and the
// rule must have matched TCP or UDP before.
func Redirect(port uint16) []expr.Any {
	return []expr.Any{
		Count(),
		&expr.Immediate{Register: reg, Data: binary.BigEndian.AppendUint16(nil, port)},
		&expr.Redir{RegisterProtoMin: reg},
	}
}

// Mark gives packets a mark and lets them pass.
func Mark(mark uint32) []expr.Any {
	return []expr.Any{
		Count(),
		&expr.Immediate{Register: reg, Data: binary.NativeEndian.AppendUint32(nil, mark)},
		&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: reg},
	}
}

// Marked is true for packets with this mark.
func Marked(mark uint32) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: reg}, equal(binary.NativeEndian.AppendUint32(nil, mark))}
}

// NotBy is true for packets that leave by none of the devices with these indexes.
func NotBy(devices []int) []expr.Any {
	all := []expr.Any{&expr.Meta{Key: expr.MetaKeyOIF, Register: reg}}
	for _, d := range devices {
		all = append(all, &expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: binary.NativeEndian.AppendUint32(nil, uint32(d))})
	}
	return all
}

// NotMarked is true for packets without this mark. What a program sends again itself carries one.
func NotMarked(mark uint32) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: reg},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg, Data: binary.NativeEndian.AppendUint32(nil, mark)},
	}
}

// Answers is true for TCP resets and for ICMP errors that say that something cannot be reached: what Reset and
// Unreachable send. A chain that rejects must let them pass, or it eats its own answers.
func Answers() [][]expr.Any {
	first := func(protocol, kind uint8) []expr.Any {
		return append(Protocol(protocol),
			&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1}, equal([]byte{kind}))
	}
	const rst = 4
	reset := append(Protocol(unix.IPPROTO_TCP),
		&expr.Payload{DestRegister: reg, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: reg, DestRegister: reg, Len: 1, Mask: []byte{rst}, Xor: []byte{0}}, equal([]byte{rst}))
	return [][]expr.Any{reset, first(unix.IPPROTO_ICMP, 3), first(unix.IPPROTO_ICMPV6, 1)}
}

// Rules adds what is done to each alternative.
func Rules(note string, matches [][]expr.Any, do []expr.Any) []Rule {
	rules := make([]Rule, 0, len(matches))
	for _, m := range matches {
		rules = append(rules, Rule{Note: note, Exprs: slices.Concat(m, do)})
	}
	return rules
}
