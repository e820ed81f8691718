package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
)

// Messages of the kernel's list of sockets, and the states of TCP that matter here.
const (
	diagByFamily = 20
	diagDestroy  = 21

	established = 1
	synSent     = 2
	closeWait   = 8
	// diagID is where the identity of a socket stands in an answer, and diagIDSize its size.
	diagID     = 4
	diagIDSize = 48
	// diagSize is the size of an answer without its attributes.
	diagSize = 72
)

// socket is one TCP connection of a network namespace.
type socket struct {
	family        uint8
	local, remote netip.AddrPort
	inode         uint32
	// id is what the kernel knows it by.
	id []byte
}

func (s socket) String() string { return fmt.Sprintf("%s to %s", s.local, s.remote) }

// in says that packets of the connection belong to the filter.
func (s socket) in(f filter.Filter) bool {
	p := filter.Packet{Peer: s.remote.Addr(), Protocol: unix.IPPROTO_TCP, Port: s.remote.Port()}
	back := p
	p.Out = true
	return f.Match(p) || f.Match(back)
}

// connections are the TCP connections that a filter is about.
func connections(ref netns.Ref, f filter.Filter) ([]socket, error) {
	all, err := sockets(ref)
	var out []socket
	for _, s := range all {
		if s.in(f) {
			out = append(out, s)
		}
	}
	return out, err
}

// sockets are all TCP connections of a namespace.
func sockets(ref netns.Ref) (out []socket, err error) {
	err = ref.Do(func() error {
		conn, err := diag()
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			answers, err := conn.Execute(netlink.Message{
				Header: netlink.Header{Type: diagByFamily, Flags: netlink.Request | netlink.Dump},
				Data:   question(family, 1<<established|1<<synSent|1<<closeWait, make([]byte, diagIDSize)),
			})
			if errors.Is(err, unix.ENOENT) {
				continue // a kernel without this family
			}
			if err != nil {
				return err
			}
			for _, m := range answers {
				if s, ok := parseSocket(m.Data); ok {
					out = append(out, s)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list TCP connections: %w", err)
	}
	return out, nil
}

func diag() (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetReadDeadline(time.Now().Add(5 * time.Second))
}

// question asks for, or about, sockets.
func question(family uint8, states uint32, id []byte) []byte {
	b := []byte{family, unix.IPPROTO_TCP, 0, 0}
	return append(binary.NativeEndian.AppendUint32(b, states), id...)
}

func parseSocket(b []byte) (socket, bool) {
	if len(b) < diagSize {
		return socket{}, false
	}
	s := socket{family: b[0], id: b[diagID : diagID+diagIDSize], inode: binary.NativeEndian.Uint32(b[diagSize-4:])}
	size := 4
	if s.family == unix.AF_INET6 {
		size = 16
	}
	from, _ := netip.AddrFromSlice(s.id[4 : 4+size])
	to, _ := netip.AddrFromSlice(s.id[20 : 20+size])
	s.local = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(s.id))
	s.remote = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(s.id[2:]))
	return s, true
}

// errNoDestroy says that this kernel cannot end the connections of others.
var errNoDestroy = errors.New("this kernel cannot end connections (INET_DIAG_DESTROY is missing)")

// destroy ends connections: both ends get a reset. It returns how many there still were.
func destroy(ref netns.Ref, list []socket) (ended int, err error) {
	err = ref.Do(func() error {
		conn, err := diag()
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, s := range list {
			_, err := conn.Execute(netlink.Message{
				Header: netlink.Header{Type: diagDestroy, Flags: netlink.Request | netlink.Acknowledge},
				Data:   question(s.family, 0, s.id),
			})
			switch {
			case errors.Is(err, unix.ENOENT):
			case errors.Is(err, unix.EOPNOTSUPP):
				return errNoDestroy
			case err != nil:
				return fmt.Errorf("end TCP connection %s: %w", s, err)
			default:
				ended++
			}
		}
		return nil
	})
	return ended, err
}

// canDestroy asks the kernel to end a connection that does not exist.
func canDestroy(ref netns.Ref) bool {
	_, err := destroy(ref, []socket{{family: unix.AF_INET, id: make([]byte, diagIDSize)}})
	return err == nil
}
