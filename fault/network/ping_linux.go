package network

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/belay-dr/belay/fault/netns"
)

// The kinds of ICMP messages that are a question and its answer.
const (
	echo4, echoReply4 = 8, 0
	echo6, echoReply6 = 128, 129
)

// ping asks a host once, from a namespace, and says how long the answer took.
func ping(ctx context.Context, ref netns.Ref, a netip.Addr, bound time.Duration) (time.Duration, error) {
	network, kind, reply := "ip4:icmp", byte(echo4), byte(echoReply4)
	if a.Is6() {
		network, kind, reply = "ip6:ipv6-icmp", echo6, echoReply6
	}
	var c *net.IPConn
	err := ref.Do(func() (err error) {
		c, err = net.DialIP(network, nil, &net.IPAddr{IP: a.AsSlice()})
		return err
	})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	began := time.Now()
	end := began.Add(bound)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	if err := c.SetDeadline(end); err != nil {
		return 0, err
	}
	// The time of day makes it ours among all that arrive at this host.
	m := binary.BigEndian.AppendUint64([]byte{kind, 0, 0, 0, 0xbe, 0x1a, 0, 1}, uint64(began.UnixNano()))
	if kind == echo4 {
		binary.BigEndian.PutUint16(m[2:], checksum(m)) // the kernel does it for ICMPv6
	}
	if _, err := c.Write(m); err != nil {
		return 0, err
	}
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFromIP(b)
		if err != nil {
			return 0, err
		}
		peer, _ := netip.AddrFromSlice(from.IP)
		if n >= len(m) && b[0] == reply && peer.Unmap() == a && string(b[4:len(m)]) == string(m[4:]) {
			return time.Since(began), nil
		}
		if time.Now().After(end) {
			return 0, errors.New("no answer")
		}
	}
}

// checksum is that of the Internet protocols.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
