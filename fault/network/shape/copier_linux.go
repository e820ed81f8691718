package shape

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/network/shape/packet"
)

// mark is on what we send, so that the rule which caught the packet does not catch it again. All faults have the same, or
// two of them on one path would send a packet to and fro for ever. It has none of
// the bits that routing, Kubernetes and container networks are known to use.
const mark = 0x0be10001

// copier sends packets a second time, or those that were taken from the kernel.
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
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	return fd, nil
}

// sendBuffer is how much may wait in the interface.
const sendBuffer = 32 << 20

// send sends a whole IP packet as it is. A copy that cannot be sent, for example for want of a route, is lost as one on
// a real line would be.
func (c copier) send(b []byte) {
	to, ok := packet.Destination(b)
	switch {
	case !ok:
	case to.Is4() && c.v4 > 0:
		_ = unix.Sendto(c.v4, b, 0, &unix.SockaddrInet4{Addr: to.As4()})
	case to.Is6() && c.v6 > 0:
		_ = unix.Sendto(c.v6, b, 0, &unix.SockaddrInet6{Addr: to.As16()})
	}
}

func (c copier) close() {
	for _, fd := range []int{c.v4, c.v6} {
		if fd > 0 {
			_ = unix.Close(fd)
		}
	}
}
