package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
)

// How a peer can show that it is there, and later that it is cut off.
const (
	// accepts: it takes a TCP connection.
	accepts = "tcp"
	// refuses: it answers a TCP connection with a reset, so that it lives.
	refuses = "tcp reset"
	// pings: it answers an echo request.
	pings = "ping"
	// replies: it answers a datagram.
	replies = "udp"
	// silent: nothing comes back, but what we send to it meets the rule, which counts it.
	silent = "counter"
)

// How long a peer may take to answer before the fault, and when it counts as cut off. That may be short, because a counter
// has to say so, too.
const (
	tcpBound  = 2 * time.Second
	pingBound = time.Second
	udpBound  = 300 * time.Millisecond
	cutBound  = 100 * time.Millisecond
)

// witness is an address that answered before the fault.
type witness struct {
	How  string         `json:"how"`
	Addr netip.AddrPort `json:"addr"`
	// Protocol is what is sent to a silent one.
	Protocol filter.Protocol `json:"protocol,omitempty"`
	// Took is how long the answer took.
	Took time.Duration `json:"took_ns"`
}

func (w witness) String() string {
	if w.How == pings {
		return "ping " + w.Addr.Addr().String()
	}
	return w.How + " " + w.Addr.String()
}

// try asks again. It returns how it answered; an error is no answer.
func (w witness) try(ctx context.Context, ref netns.Ref, bound time.Duration) (how string, took time.Duration, err error) {
	began := time.Now()
	switch {
	case w.How == pings || w.How == silent && w.Protocol == filter.ICMP:
		took, err := ping(ctx, ref, w.Addr.Addr(), bound)
		return pings, took, err
	case w.How == replies || w.How == silent && w.Protocol != filter.TCP:
		how, err := datagram(ctx, ref, w.Addr, bound)
		return how, time.Since(began), err
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	c, err := ref.Dial(ctx, "tcp", w.Addr.String())
	took = time.Since(began)
	if err == nil {
		// A plain close lets the peer see an ordinary, empty connection.
		return accepts, took, c.Close()
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return refuses, took, nil
	}
	return "", took, err
}

// errSilent says that a datagram was sent and nothing came back.
var errSilent = errors.New("no answer")

// datagram sends an empty datagram and waits for any answer.
func datagram(ctx context.Context, ref netns.Ref, a netip.AddrPort, bound time.Duration) (string, error) {
	c, err := ref.Dial(ctx, "udp", a.String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(bound)); err != nil {
		return "", err
	}
	if _, err := c.Write(nil); err != nil {
		return "", err
	}
	_, err = c.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", errSilent
	}
	if err != nil && !errors.Is(err, unix.EMSGSIZE) {
		return "", err
	}
	return replies, nil
}

// atOnce is how many witnesses are asked at the same time. Each takes a thread.
const atOnce = 128

// each calls f for 0 to n-1, many at once, and returns when all have returned.
func each(n int, f func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() { f(i); <-slots })
	}
	all.Wait()
}

// seer looks for witnesses among the peers of a filter.
type seer struct {
	ref    netns.Ref
	filter filter.Filter
}

// feels says that the filter is about what goes to an address, or about what comes from it.
func (s seer) feels(protocol uint8, a netip.AddrPort, out bool) bool {
	return s.filter.Match(filter.Packet{Out: out, Peer: a.Addr(), Protocol: protocol, Port: a.Port()})
}

// candidate is an address that may become a witness for a port of a peer, or for a network.
type candidate struct {
	peer filter.Peer
	port uint16
	addr netip.Addr
	net  netip.Prefix
}

// candidates are all addresses and ports of the filter.
func (s seer) candidates() []candidate {
	var out []candidate
	for _, p := range s.filter.To {
		ports := p.Ports
		if len(ports) == 0 {
			ports = []uint16{0}
		}
		for _, n := range p.Nets {
			if !n.IsSingleIP() {
				out = append(out, candidate{peer: p, net: n})
				continue
			}
			for _, port := range ports {
				out = append(out, candidate{peer: p, port: port, addr: n.Addr()})
			}
		}
	}
	return out
}

// witnesses asks all candidates. Each port of each peer, or each peer that has none, must have a witness at one of its
// addresses, and each network must have one.
func (s seer) witnesses(ctx context.Context) ([]witness, error) {
	all := s.candidates()
	found, errs := make([]witness, len(all)), make([]error, len(all))
	each(len(all), func(i int) {
		c := all[i]
		if c.addr.IsValid() {
			found[i], errs[i] = s.host(ctx, netip.AddrPortFrom(c.addr, c.port))
			return
		}
		found[i], errs[i] = s.network(ctx, c.net, c.peer)
	})
	type need struct {
		peer string
		port uint16
	}
	var out []witness
	met, why := map[need]bool{}, map[need][]error{}
	for i, c := range all {
		n := need{c.peer.String(), c.port}
		switch {
		case errs[i] == nil:
			out, met[n] = append(out, found[i]), true
		case !c.addr.IsValid():
			return nil, errs[i]
		default:
			why[n] = append(why[n], errs[i])
		}
	}
	for _, c := range all {
		if n := (need{c.peer.String(), c.port}); !met[n] {
			return nil, fmt.Errorf("nothing answers at %s, so its loss could not be seen: %w", c.peer, errors.Join(why[n]...))
		}
	}
	return out, nil
}

// host finds the witness at one address.
func (s seer) host(ctx context.Context, a netip.AddrPort) (witness, error) {
	if a.Port() == 0 {
		return s.whole(ctx, a.Addr())
	}
	if s.filter.Protocol == filter.UDP {
		return s.datagrams(ctx, a)
	}
	w := witness{How: accepts, Addr: a}
	how, took, err := w.try(ctx, s.ref, tcpBound)
	switch {
	case err != nil:
		return w, plainly(err)
	case how == refuses && s.filter.Protocol == filter.Any:
		return w, fmt.Errorf("tcp %s refuses connections; if it is a port of UDP, say protocol: udp", a)
	case how == refuses:
		return w, fmt.Errorf("tcp %s refuses connections", a)
	}
	w.Took = took
	return w, nil
}

// datagrams finds the witness of a UDP port.
func (s seer) datagrams(ctx context.Context, a netip.AddrPort) (witness, error) {
	w := witness{How: replies, Addr: a}
	_, took, err := w.try(ctx, s.ref, udpBound)
	switch {
	case err == nil:
		w.Took = took
		return w, nil
	case errors.Is(err, unix.ECONNREFUSED):
		return w, fmt.Errorf("udp %s refuses datagrams: nobody listens there", a)
	case !errors.Is(err, errSilent):
		return w, plainly(err)
	case s.feels(unix.IPPROTO_UDP, a, true):
		return witness{How: silent, Addr: a, Protocol: filter.UDP}, nil
	}
	return w, fmt.Errorf("udp %s does not answer an empty datagram, and only what comes in would be lost: take direction: both", a)
}

// lively are ports that many hosts answer, be it with a reset.
var lively = [...]uint16{443, 22, 80}

// discard is the port to which a datagram goes that nobody needs.
const discard = 9

// whole finds the witness of a host without a port.
func (s seer) whole(ctx context.Context, a netip.Addr) (witness, error) {
	p := s.filter.Protocol
	took, err := ping(ctx, s.ref, a, pingBound)
	if err == nil && (p == filter.Any || p == filter.ICMP) {
		return witness{How: pings, Addr: netip.AddrPortFrom(a, 0), Took: took}, nil
	}
	alive := err == nil
	if p == filter.Any || p == filter.TCP || !alive {
		for _, port := range lively {
			w := witness{How: accepts, Addr: netip.AddrPortFrom(a, port)}
			how, took, err := w.try(ctx, s.ref, pingBound/2)
			if err != nil {
				continue
			}
			if p == filter.Any || p == filter.TCP {
				return witness{How: how, Addr: w.Addr, Took: took}, nil
			}
			alive = true
			break
		}
	}
	if w := (witness{How: silent, Addr: netip.AddrPortFrom(a, discard), Protocol: p}); alive && s.filter.Direction.Has(true) {
		return w, nil
	}
	return witness{}, fmt.Errorf("%s answers neither a ping nor TCP connections to the ports 443, 22 and 80: name a port that answers", a)
}

// network finds a witness in a whole network: somebody with whom there is a connection now, or else what we send there
// ourselves.
func (s seer) network(ctx context.Context, n netip.Prefix, p filter.Peer) (witness, error) {
	if s.filter.Protocol == filter.Any || s.filter.Protocol == filter.TCP {
		all, err := connections(s.ref, s.filter)
		if err != nil {
			return witness{}, err
		}
		for _, c := range all[:min(len(all), 3)] {
			w := witness{How: accepts, Addr: c.remote}
			if how, took, err := w.try(ctx, s.ref, pingBound/2); n.Contains(c.remote.Addr()) && err == nil && how == accepts {
				w.Took = took
				return w, nil
			}
		}
	}
	port := uint16(discard)
	if len(p.Ports) > 0 {
		port = p.Ports[0]
	}
	w := witness{How: silent, Addr: netip.AddrPortFrom(n.Masked().Addr().Next(), port), Protocol: s.filter.Protocol}
	if !s.filter.Direction.Has(true) {
		return w, fmt.Errorf("nobody in %s is known to answer, and only what comes in would be lost: name a host, or take direction: both", n)
	}
	c, err := s.ref.Dial(ctx, "udp", w.Addr.String())
	if err != nil {
		return w, fmt.Errorf("there is no way from %s to %s: %w", s.ref.Name, n, plainly(err))
	}
	return w, c.Close()
}

// plainly leaves the addresses out of an error of the network, because the sentence around it has them.
func plainly(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Timeout() {
			return errors.New("no answer in time")
		}
		return op.Err
	}
	return err
}
