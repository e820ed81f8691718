package shape

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
)

// probe is one way to make a peer answer, and how fast it did before the fault.
type probe struct {
	Network filter.Protocol `json:"network"`
	Addr    netip.AddrPort  `json:"addr"`
	// Peer is the selector that it belongs to.
	Peer string `json:"peer"`
	// Refused says that a refusal is an answer too, because no port was named.
	Refused bool `json:"refused,omitempty"`
	// Answers says that it answered, after the time Before.
	Answers bool          `json:"answers,omitempty"`
	Before  time.Duration `json:"before,omitempty"`
}

const (
	// patience is how long a peer may take to answer before the fault; a lost first packet is sent again within it.
	patience = 1500 * time.Millisecond
	// mostProbes is how many ways to ask are tried for one peer.
	mostProbes = 8
	// anyPort is asked when the filter is about all ports. Whether somebody listens there does not matter.
	anyPort = 9
)

// errNoAnswer says that nothing came back in time.
var errNoAnswer = errors.New("no answer")

// errClosed says that nobody listens on the port.
var errClosed = errors.New("the port is closed")

// ask sends one packet and waits for one, in the namespace of the calling thread.
func (p probe) ask(ctx context.Context, within time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	began := time.Now()
	var err error
	switch p.Network {
	case filter.TCP:
		var c net.Conn
		if c, err = new(net.Dialer).DialContext(ctx, "tcp", p.Addr.String()); err == nil {
			took := time.Since(began)
			_ = c.Close()
			return took, nil
		}
	case filter.UDP:
		err = p.datagram(ctx)
	default:
		err = ping(ctx, p.Addr.Addr())
	}
	took := time.Since(began)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // it names the address, and so do we
	}
	switch {
	case err == nil || errors.Is(err, syscall.ECONNREFUSED) && p.Refused:
		return took, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return took, errClosed
	case ctx.Err() != nil || timeout(err):
		return took, errNoAnswer
	}
	return took, err
}

func timeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// datagram sends an empty one. Most servers do not answer it; that nobody listens is told by the host.
func (p probe) datagram(ctx context.Context) error {
	c, err := new(net.Dialer).DialContext(ctx, "udp", p.Addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	until, _ := ctx.Deadline()
	_ = c.SetDeadline(until)
	if _, err := c.Write(nil); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

// String is the probe for a person: "tcp 10.0.0.2:80".
func (p probe) String() string {
	if p.Network == filter.ICMP {
		return "ping " + p.Addr.Addr().String()
	}
	return string(p.Network) + " " + p.Addr.String()
}

// probes are the ways to ask a peer, best first. A network of peers cannot be asked.
func probes(peer filter.Peer, protocol filter.Protocol) []probe {
	var all []probe
	for _, n := range peer.Nets {
		if !n.IsSingleIP() {
			continue
		}
		add := func(network filter.Protocol, port uint16) {
			all = append(all, probe{
				Network: network, Addr: netip.AddrPortFrom(n.Addr(), port), Peer: peer.Text, Refused: len(peer.Ports) == 0,
			})
		}
		if protocol == filter.ICMP {
			add(filter.ICMP, 0)
			continue
		}
		ports := peer.Ports
		if len(ports) == 0 {
			ports = []uint16{anyPort}
		}
		for _, port := range ports {
			if protocol != filter.UDP {
				add(filter.TCP, port)
			}
			if protocol == filter.UDP || protocol == filter.Any && len(peer.Ports) > 0 {
				add(filter.UDP, port)
			}
		}
		if protocol == filter.Any && len(peer.Ports) == 0 {
			add(filter.ICMP, 0)
		}
	}
	return all[:min(len(all), mostProbes)]
}

// look asks all peers, at the same time, and refuses the fault when one is named at which nothing answers: a wrong port
// would be a fault without an effect.
func look(ctx context.Context, place Place) ([]probe, error) {
	var all []probe
	for _, peer := range place.Filter.To {
		all = append(all, probes(peer, place.Filter.Protocol)...)
	}
	errs := make([]error, len(all))
	together(len(all), func(i int) {
		all[i].Before, errs[i] = quickest(ctx, place.Netns, all[i])
		all[i].Answers = errs[i] == nil
	})
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ask the peers: %w", err)
	}
	var useful []probe
	for _, peer := range place.Filter.To {
		var mine []probe
		var why []string
		silent := false
		for i, p := range all {
			switch {
			case p.Peer != peer.Text:
			case p.Answers:
				mine = append(mine, p)
			case p.Network == filter.UDP && errors.Is(errs[i], errNoAnswer): // it may listen and say nothing
				silent = true
				mine = append(mine, p)
			default:
				why = append(why, fmt.Sprintf("%s: %v", p, errs[i]))
			}
		}
		answered := slices.ContainsFunc(mine, func(p probe) bool { return p.Answers })
		// Silence by UDP says nothing, unless TCP is silent as well: then the host is not there.
		dead := slices.ContainsFunc(why, func(w string) bool { return strings.HasSuffix(w, errNoAnswer.Error()) })
		if len(why) > 0 && !answered && (!silent || dead) {
			return nil, fmt.Errorf("nothing answers at %s, so the fault would have no effect: %s", peer, strings.Join(why, "; "))
		}
		useful = append(useful, mine...)
	}
	return useful, nil
}

// quickest is the fastest of three answers: the way to the peer, without what a busy machine or a search for a neighbour
// adds now and then.
func quickest(ctx context.Context, ns netns.Ref, p probe) (time.Duration, error) {
	best := patience
	for range 3 {
		var d time.Duration
		err := ns.Do(func() (err error) { d, err = p.ask(ctx, patience); return err })
		if err != nil {
			return 0, err
		}
		best = min(best, d)
	}
	return best, nil
}

// together calls f for each number at the same time.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
