package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
)

const (
	// mark is on every packet that we send to the real servers: the redirection lets them pass.
	mark = 0x62656c79
	// patience is how long one real server may take, before the next one is asked.
	patience = 3 * time.Second
	// crowd is how many questions may be open at the same time. More are forgotten, as a server under load does.
	crowd = 1024
	// idle is how long a TCP connection may be silent.
	idle = 2 * time.Minute
	// largest is the largest packet there can be.
	largest = 64 << 10
)

// server answers for the names that fail, and passes everything else on.
type server struct {
	ref      netns.Ref
	rules    rules
	upstream []netip.AddrPort
	port     uint16

	udp  []*net.UDPConn
	tcp  []net.Listener
	open chan struct{} // a place for each open question
	over context.Context
	end  context.CancelFunc
	work sync.WaitGroup
	// conns are the TCP connections of clients.
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// listen opens the sockets, all with one port, on the loopback of the namespace: packets are redirected to there.
func listen(ref netns.Ref, r rules, upstream []netip.AddrPort) (*server, error) {
	s := &server{ref: ref, rules: r, upstream: upstream, open: make(chan struct{}, crowd), conns: map[net.Conn]bool{}}
	s.over, s.end = context.WithCancel(context.Background())
	err := ref.Do(func() error {
		var err error
		for range 20 { // a port that is free for one protocol may not be for the other
			if err = s.bind(); err == nil || !errors.Is(err, unix.EADDRINUSE) {
				return err
			}
		}
		return err
	})
	if err != nil {
		s.close()
		return nil, fmt.Errorf("listen for questions: %w", err)
	}
	return s, nil
}

func (s *server) bind() error {
	s.closeSockets()
	s.udp, s.tcp, s.port = nil, nil, 0
	for _, host := range []string{"127.0.0.1", "::1"} {
		ip := netip.MustParseAddr(host)
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, s.port)))
		if ip.Is6() && (errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT)) {
			break // no IPv6 here
		}
		if err != nil {
			return err
		}
		s.udp = append(s.udp, u)
		at := u.LocalAddr().(*net.UDPAddr).AddrPort()
		s.port = at.Port()
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, s.port)))
		if err != nil {
			return err
		}
		s.tcp = append(s.tcp, l)
	}
	return nil
}

func (s *server) closeSockets() {
	for _, u := range s.udp {
		u.Close()
	}
	for _, l := range s.tcp {
		l.Close()
	}
}

// serve begins to answer.
func (s *server) serve() {
	for _, u := range s.udp {
		s.work.Go(func() { s.datagrams(u) })
	}
	for _, l := range s.tcp {
		s.work.Go(func() { s.accept(l) })
	}
}

// close ends everything and waits for it.
func (s *server) close() {
	s.end()
	s.closeSockets()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// datagrams answers questions by UDP, each by itself.
func (s *server) datagrams(u *net.UDPConn) {
	buf := make([]byte, largest)
	for {
		n, from, err := u.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error for an answer that nobody waited for
		}
		packet := append([]byte(nil), buf[:n]...)
		select {
		case s.open <- struct{}{}:
		default:
			continue
		}
		s.work.Go(func() {
			defer func() { <-s.open }()
			if b := s.answer(packet); b != nil {
				_, _ = u.WriteToUDPAddrPort(b, from)
			}
		})
	}
}

// answer is the answer to one datagram; none when it is to be forgotten.
func (s *server) answer(packet []byte) []byte {
	what, b := s.rules.decide(packet)
	switch what {
	case reply:
		return b
	case forget:
		return nil
	case late:
		if !s.sleep(s.rules.slow) {
			return nil
		}
	}
	for _, to := range s.upstream {
		if b, err := s.ask(to, packet); err == nil {
			return b
		}
		if s.over.Err() != nil {
			break
		}
	}
	return nil
}

// sleep returns false when the fault ended meanwhile.
func (s *server) sleep(d time.Duration) bool {
	select {
	case <-s.over.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// ask passes a datagram on and returns the answer with the same ID, both as they are.
func (s *server) ask(to netip.AddrPort, packet []byte) ([]byte, error) {
	c, err := s.dial("udp", to)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(s.over, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, largest)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if n >= 2 && len(packet) >= 2 && buf[0] == packet[0] && buf[1] == packet[1] {
			return buf[:n], nil
		}
	}
}

// dial connects from the namespace to a real server, past the redirection.
func (s *server) dial(network string, to netip.AddrPort) (c net.Conn, err error) {
	d := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var merr error
		err := raw.Control(func(fd uintptr) { merr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
		return errors.Join(err, merr)
	}}
	err = s.ref.Do(func() error {
		c, err = d.DialContext(s.over, network, to.String())
		return err
	})
	return c, err
}

func (s *server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if !s.sleep(10 * time.Millisecond) { // no descriptor is left, for example
				return
			}
			continue
		}
		s.mu.Lock()
		full := len(s.conns) >= crowd || s.over.Err() != nil
		if !full {
			s.conns[c] = true
		}
		s.mu.Unlock()
		if full {
			c.Close()
			continue
		}
		s.work.Go(func() {
			s.stream(c)
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// stream answers the questions on one TCP connection. What is passed on goes over one connection to a real server, so
// that also long answers such as zone transfers come whole.
func (s *server) stream(c net.Conn) {
	var real net.Conn
	var write sync.Mutex
	send := func(b []byte) {
		write.Lock()
		defer write.Unlock()
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		_ = writeMessage(c, b)
	}
	defer func() {
		if real != nil {
			real.Close()
		}
	}()
	for {
		_ = c.SetReadDeadline(time.Now().Add(idle))
		packet, err := readMessage(c)
		if err != nil {
			return
		}
		what, b := s.rules.decide(packet)
		switch what {
		case reply:
			send(b)
			continue
		case forget:
			continue
		case late:
			if !s.sleep(s.rules.slow) {
				return
			}
		}
		if real == nil {
			if real = s.connect(); real == nil {
				return
			}
			from := real
			s.work.Go(func() {
				defer c.Close() // the client sees the real server's end
				defer context.AfterFunc(s.over, func() { from.Close() })()
				for {
					b, err := readMessage(from)
					if err != nil {
						return
					}
					send(b)
				}
			})
		}
		if err := writeMessage(real, packet); err != nil {
			return
		}
	}
}

// connect connects to the first real server that answers.
func (s *server) connect() net.Conn {
	for _, to := range s.upstream {
		if c, err := s.dial("tcp", to); err == nil {
			return c
		}
	}
	return nil
}

// readMessage reads a packet with its length in front.
func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeMessage(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}
