package packet

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"testing"
)

// ip wraps a payload into a packet of IPv4 or IPv6, with the extension headers given.
func ip(v6 bool, proto byte, payload []byte, extensions ...byte) []byte {
	if v6 {
		b := make([]byte, headV6)
		b[0], b[6] = 0x60, proto
		binary.BigEndian.PutUint16(b[4:], uint16(len(extensions)+len(payload)))
		b[23], b[39] = 1, 2
		if len(extensions) > 0 {
			b[6] = extensions[0] // by the first byte of the test's own list
			extensions[0] = proto
		}
		return append(append(b, extensions...), payload...)
	}
	b := make([]byte, headV4)
	b[0], b[9] = 0x45, proto
	binary.BigEndian.PutUint16(b[2:], uint16(headV4+len(payload)))
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	return append(b, payload...)
}

func datagram(data string) []byte {
	b := make([]byte, headUDP)
	binary.BigEndian.PutUint16(b[4:], uint16(headUDP+len(data)))
	return append(b, data...)
}

func segment(data string) []byte {
	b := make([]byte, headTCP)
	b[12] = 5 << 4
	return append(b, data...)
}

// right says that the checksum of a datagram is right, by the definition: the sum of all of it is -0.
func right(b []byte) bool {
	l, _ := read(b)
	sum := uint32(protoUDP) + uint32(l.end-l.inner)
	if l.v6 {
		sum = add(sum, b[8:40])
	} else {
		sum = add(sum, b[12:20])
	}
	sum = add(sum, b[l.inner:l.end])
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum == 0xffff
}

// flipped are the indexes of bytes that differ by one bit; ok is false when a byte differs by more.
func flipped(a, b []byte) (at []int, ok bool) {
	ok = len(a) == len(b)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			at = append(at, i)
			ok = ok && bits.OnesCount8(a[i]^b[i]) == 1
		}
	}
	return at, ok
}

func TestDamage(t *testing.T) {
	summed := datagram("hello")
	summed[6], summed[7] = 1, 1 // wrong, but there
	for _, c := range []struct {
		name   string
		packet []byte
		from   int // where the payload begins
		to     int
		sum    int // where a checksum is made right, or 0
	}{
		{"udp without a checksum", ip(false, protoUDP, datagram("hello")), 28, 33, 0},
		{"udp", ip(false, protoUDP, summed), 28, 33, 26},
		{"udp over IPv6", ip(true, protoUDP, summed), 48, 53, 46},
		{"udp behind options", ip(true, protoUDP, summed, protoOptions, 0, 0, 0, 0, 0, 0, 0), 56, 61, 54},
		{"tcp", ip(false, protoTCP, segment("hello")), 40, 45, 0},
		{"tcp without payload", ip(false, protoTCP, segment("")), 24, 32, 0},
		{"icmp", ip(false, 1, []byte{8, 0, 0, 0, 1, 2, 3, 4}), 20, 28, 0},
		{"fragment of IPv6", ip(true, protoUDP, summed, protoFragment, 0, 0, 0, 0, 0, 0, 0), 48, 61, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := range (c.to - c.from) * 8 {
				b := bytes.Clone(c.packet)
				ok := Damage(b, func(most int) int {
					if most != (c.to-c.from)*8 {
						t.Fatalf("%d bits to choose from, want %d", most, (c.to-c.from)*8)
					}
					return n
				})
				if !ok {
					t.Fatal("nothing was damaged")
				}
				if c.sum > 0 {
					if !right(b) {
						t.Fatalf("bit %d: the checksum is wrong", n)
					}
					copy(b[c.sum:], c.packet[c.sum:c.sum+2])
				}
				if at, one := flipped(c.packet, b); !one || len(at) != 1 || at[0] != c.from+n/8 {
					t.Fatalf("bit %d: changed are %v", n, at)
				}
			}
		})
	}
}

func TestNothingToDamage(t *testing.T) {
	long := ip(false, protoTCP, segment("hello"))
	binary.BigEndian.PutUint16(long[2:], 100)
	for name, b := range map[string][]byte{
		"nothing": nil, "noise": []byte("hello"), "short": ip(false, protoUDP, nil), "empty udp": ip(false, protoUDP, datagram("")),
		"longer than it is": long, "short udp": ip(true, protoUDP, []byte{1, 2, 3}),
	} {
		was := bytes.Clone(b)
		if Damage(b, func(int) int { return 0 }) || !bytes.Equal(b, was) {
			t.Errorf("%s was damaged", name)
		}
	}
}

func TestDestination(t *testing.T) {
	for want, b := range map[string][]byte{"10.0.0.2": ip(false, protoTCP, segment("")), "::2": ip(true, protoTCP, segment(""))} {
		if got, ok := Destination(b); !ok || got != netip.MustParseAddr(want) {
			t.Errorf("%v %v, want %s", got, ok, want)
		}
	}
	if _, ok := Destination([]byte{0x45}); ok {
		t.Error("a piece has a destination")
	}
}

// FuzzDamage: whatever comes, at most one bit and one checksum change, the length never does, and nothing breaks.
func FuzzDamage(f *testing.F) {
	f.Add(ip(false, protoUDP, datagram("hello")), 3)
	f.Add(ip(true, protoUDP, datagram("hello"), protoHops, 0, 0, 0, 0, 0, 0, 0), 3)
	f.Add(ip(false, protoTCP, segment("hello")), 3)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		was := bytes.Clone(b)
		ok := Damage(b, func(most int) int {
			if most <= 0 {
				t.Fatalf("%d bits to choose from", most)
			}
			return max(n%most, -(n % most))
		})
		changed := 0
		for i := range b {
			if b[i] != was[i] {
				changed++
			}
		}
		if ok && changed == 0 || !ok && changed != 0 || changed > 3 {
			t.Fatalf("damaged %v, %d bytes changed", ok, changed)
		}
		Destination(b)
	})
}

func TestResendable(t *testing.T) {
	local := ip(true, protoTCP, segment("hello"))
	local[24], local[25] = 0xfe, 0x80
	fragment := ip(false, protoTCP, segment("hello"))
	fragment[6] = 0x20
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"tcp", ip(false, protoTCP, segment("hello")), true},
		{"tcp over IPv6", ip(true, protoTCP, segment("")), true},
		{"long tcp", ip(false, protoTCP, segment(string(make([]byte, 9000)))), true},
		{"udp", ip(true, protoUDP, datagram("hello")), true},
		{"long udp", ip(false, protoUDP, datagram(string(make([]byte, 1400)))), false},
		{"icmp", ip(false, 1, []byte{8, 0, 0, 0}), false},
		{"fragment", fragment, false},
		{"link-local", local, false},
		{"a piece", ip(false, protoTCP, segment("hello"))[:30], false},
	} {
		if got := Resendable(c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
