package shape

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"
)

// ping sends one echo request and waits for its answer.
func ping(ctx context.Context, to netip.Addr) error {
	network, request, answer := "ip4:icmp", byte(8), byte(0)
	if to.Is6() {
		network, request, answer = "ip6:ipv6-icmp", 128, 129
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	c, ok := conn.(*net.IPConn)
	if !ok {
		return errors.New("raw sockets are not to be had")
	}
	until, _ := ctx.Deadline()
	_ = c.SetDeadline(until)
	id := rand.Uint32()
	b := binary.BigEndian.AppendUint32([]byte{request, 0, 0, 0}, id)
	if to.Is4() {
		binary.BigEndian.PutUint16(b[2:], ^fold(b)) // the kernel does it for IPv6
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	for in := make([]byte, 1500); ; {
		n, _, err := c.ReadFrom(in)
		if err != nil {
			return err
		}
		if n >= 8 && in[0] == answer && binary.BigEndian.Uint32(in[4:]) == id {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return errNoAnswer
		}
	}
}

// fold is the sum of the Internet's checksum.
func fold(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
