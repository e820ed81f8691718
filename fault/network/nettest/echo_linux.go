package nettest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// Echo serves TCP and UDP echoes on a port of every address of the side, until the test ends.
func (s Side) Echo(t testing.TB, port int) {
	t.Helper()
	s.In(t, func() error {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
			}
		}()
		// One socket for each address, or an answer may leave with another one than was asked.
		for _, a := range []string{s.IPv4, s.IPv6, "127.0.0.1"} {
			p, err := net.ListenPacket("udp", net.JoinHostPort(a, fmt.Sprint(port)))
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = p.Close() })
			go echoDatagrams(p)
		}
		return nil
	})
}

func echoDatagrams(p net.PacketConn) {
	b := make([]byte, 65536)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = p.WriteTo(b[:n], from)
	}
}

// Dial connects from this side. A datagram connection is made without asking the peer.
func (s Side) Dial(network, address string, bound time.Duration) (c net.Conn, err error) {
	err = s.Ref.Do(func() error {
		c, err = net.DialTimeout(network, address, bound)
		return err
	})
	return c, err
}

// Answers says whether one line comes back over a new connection within the bound.
func (s Side) Answers(network, address string, bound time.Duration) bool {
	c, err := s.Dial(network, address, bound)
	if err != nil {
		return false
	}
	defer c.Close()
	return Echoes(c, bound)
}

// Echoes says whether a line comes back over this connection within the bound.
func Echoes(c net.Conn, bound time.Duration) bool {
	if err := c.SetDeadline(time.Now().Add(bound)); err != nil {
		return false
	}
	line := fmt.Appendf(nil, "%020d", time.Now().UnixNano())
	if _, err := c.Write(line); err != nil {
		return false
	}
	// What was sent before may come late, in front of this.
	var seen []byte
	b := make([]byte, 4096)
	for !bytes.Contains(seen, line) {
		n, err := c.Read(b)
		if err != nil {
			return false
		}
		seen = append(seen, b[:n]...)
	}
	return true
}
