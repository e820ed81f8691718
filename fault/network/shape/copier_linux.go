package shape

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/network/shape/packet"
)

// mark is on the copies that we send, so that the rule which caught the packet does not catch its copy. It has none of
// the bits that routing, Kubernetes and container networks are known to use.
const mark = 0x0be10001

// copier sends packets a second time.
type copier struct{ v4, v6 int }

// openCopier opens raw sockets in the network namespace of the calling thread. Its zero value is closed.
func openCopier() (copier, error) {
	var c copier
	var err error
	if c.v4, err = raw(unix.AF_INET); err != nil {
		return copier{}, err
	}
	c.v6, err = raw(unix.AF_INET6)
	if errors.Is(err, unix.EAFNOSUPPORT) { // no IPv6 here, so no such packets
		err = nil
	}
	return c, err
}

func raw(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return 0, fmt.Errorf("open raw socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark); err != nil {
		_ = unix.Close(fd)
		return 0, fmt.Errorf("mark raw socket: %w", err)
	}
	return fd, nil
}

// send sends a whole IP packet as it is. A copy that cannot be sent, for example for want of a route, is lost as one on
// a real line would be.
func (c copier) send(b []byte) error {
	to, ok := packet.Destination(b)
	switch {
	case !ok:
	case to.Is4() && c.v4 > 0:
		_ = unix.Sendto(c.v4, b, 0, &unix.SockaddrInet4{Addr: to.As4()})
	case to.Is6() && c.v6 > 0:
		_ = unix.Sendto(c.v6, b, 0, &unix.SockaddrInet6{Addr: to.As16()})
	}
	return nil
}

func (c copier) close() {
	for _, fd := range []int{c.v4, c.v6} {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
}
