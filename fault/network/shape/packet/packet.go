// Package packet reads just so much of an IP packet as a bad line needs: where it goes and where its payload is. It works
// on bytes alone, believes none of them, and must never reach beyond them. Start at Damage.
package packet

import (
	"encoding/binary"
	"net/netip"
)

// The protocols that have a checksum or a header to skip.
const (
	protoHops     = 0
	protoTCP      = 6
	protoUDP      = 17
	protoRouting  = 43
	protoFragment = 44
	protoOptions  = 60
)

const (
	headV4  = 20
	headV6  = 40
	headTCP = 20
	headUDP = 8
)

// layout is where the parts of a packet are.
type layout struct {
	v6       bool
	proto    int
	inner    int // where the header after IP begins
	end      int // where the packet ends by its own word, at most its bytes
	fragment bool
}

// read finds the parts; false says that this is no IP packet, or too short a piece of one.
func read(b []byte) (layout, bool) {
	switch {
	case len(b) >= headV4 && b[0]>>4 == 4:
		head := int(b[0]&15) * 4
		total := int(binary.BigEndian.Uint16(b[2:]))
		if head < headV4 || head > len(b) || total < head || total > len(b) {
			return layout{}, false
		}
		return layout{proto: int(b[9]), inner: head, end: total, fragment: binary.BigEndian.Uint16(b[6:])&0x3fff != 0}, true
	case len(b) >= headV6 && b[0]>>4 == 6:
		total := headV6 + int(binary.BigEndian.Uint16(b[4:]))
		if total > len(b) {
			return layout{}, false
		}
		return readV6(b[:total])
	}
	return layout{}, false
}

// readV6 walks the extension headers.
func readV6(b []byte) (layout, bool) {
	l := layout{v6: true, proto: int(b[6]), inner: headV6, end: len(b)}
	for {
		size := 0
		switch l.proto {
		case protoHops, protoRouting, protoOptions:
			if l.inner+8 > len(b) {
				return layout{}, false
			}
			size = (int(b[l.inner+1]) + 1) * 8
		case protoFragment:
			l.fragment, size = true, 8
		default:
			return l, true
		}
		if l.inner+size > len(b) {
			return layout{}, false
		}
		l.proto, l.inner = int(b[l.inner]), l.inner+size
	}
}

// payload is where the bytes of the application begin.
func (l layout) payload(b []byte) (int, bool) {
	at := l.inner
	switch {
	case l.fragment: // only the first one has a header, and its checksum is over all of them
	case l.proto == protoTCP:
		if at+headTCP > l.end {
			return 0, false
		}
		size := int(b[at+12]>>4) * 4
		if size < headTCP {
			return 0, false
		}
		at += size
	case l.proto == protoUDP:
		at += headUDP
	}
	return at, at < l.end
}

// Damage flips one bit of the payload, which the dice choose out of n, and says whether there was one to flip. The
// checksum of TCP is left as it was, so that the receiver throws the segment away and gets it again, as on a real line;
// a segment without payload is damaged in its numbers for the same reason. The checksum of UDP is made right again, so
// that the application sees the wrong bytes. Nothing else of the packet changes.
func Damage(b []byte, dice func(n int) int) bool {
	l, ok := read(b)
	if !ok {
		return false
	}
	at, ok := l.payload(b)
	end := l.end
	if !ok && l.numbered() {
		at, end = l.inner+4, l.inner+12
	} else if !ok {
		return false
	}
	n := dice((end - at) * 8)
	b[at+n/8] ^= 1 << (n % 8)
	if l.proto == protoUDP && !l.fragment {
		l.sumUDP(b)
	}
	return true
}

// numbered says that there is a whole head of TCP, with its sequence numbers.
func (l layout) numbered() bool {
	return l.proto == protoTCP && !l.fragment && l.inner+headTCP <= l.end
}

// sumUDP writes the checksum of a datagram, unless it has none.
func (l layout) sumUDP(b []byte) {
	udp := b[l.inner:l.end]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	if length < headUDP || length > len(udp) || udp[6] == 0 && udp[7] == 0 && !l.v6 {
		return
	}
	udp[6], udp[7] = 0, 0
	sum := uint32(protoUDP) + uint32(length)
	if l.v6 {
		sum = add(sum, b[8:40])
	} else {
		sum = add(sum, b[12:20])
	}
	sum = add(sum, udp[:length])
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum = ^sum & 0xffff; sum == 0 {
		sum = 0xffff // 0 would say that there is none
	}
	binary.BigEndian.PutUint16(udp[6:], uint16(sum))
}

// add adds bytes as the checksum of the Internet does.
func add(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

// Destination is where a packet goes; false says that this is no whole IP packet.
func Destination(b []byte) (netip.Addr, bool) {
	switch l, ok := read(b); {
	case !ok:
		return netip.Addr{}, false
	case l.v6:
		return netip.AddrFrom16([16]byte(b[24:40])), true
	}
	return netip.AddrFrom4([4]byte(b[16:20])), true
}

// least is the length that every line carries in one piece.
const least = 1280

// Resendable says that a whole packet which goes out can be sent by a raw socket instead, and be the same to its receiver: TCP,
// which never makes one that is too long for the line, and UDP that is short. A link-local address needs more than itself.
func Resendable(b []byte) bool {
	l, ok := read(b)
	if !ok || l.fragment || l.v6 && b[24] == 0xfe && b[25]&0xc0 == 0x80 {
		return false
	}
	return l.proto == protoTCP || l.proto == protoUDP && len(b) <= least
}
