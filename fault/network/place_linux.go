package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/shape"
	"github.com/belay-dr/belay/fault/proc"
)

// errRights says what is missing, and what needs nothing.
var errRights = errors.New("CAP_NET_ADMIN is missing: run as root, or take the proxy fault, which needs no rights")

// find is where the fault is made and for which packets. It refuses what must not be touched.
func (n *Network) find(ctx context.Context, a action) (shape.Place, error) {
	if !privileged() {
		return shape.Place{}, errRights
	}
	ref, err := n.namespace()
	if err != nil {
		return shape.Place{}, err
	}
	w := a.where()
	peers, err := filter.Resolve(ctx, ref.Lookup, w.To, w.Ports)
	if err != nil {
		return shape.Place{}, err
	}
	p := shape.Place{
		Netns:  ref,
		Filter: filter.Filter{To: peers, Protocol: filter.Protocol(w.Protocol), Direction: filter.Direction(w.Direction)},
	}
	if err := n.bounded(p.Filter); err != nil {
		return p, err
	}
	if !n.EvenRunner {
		if err := guard(ref, p.Filter); err != nil {
			return p, err
		}
	}
	p.Claims = claims(ref, p.Filter)
	p.Radius, err = radius(ref, p.Filter)
	return p, err
}

// privileged says that this process may change the network: CAP_NET_ADMIN is in effect.
func privileged() bool {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	return unix.Capget(&h, &d[0]) == nil && d[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

// namespace is the one that the config names.
func (n *Network) namespace() (netns.Ref, error) {
	switch {
	case n.Netns != "":
		return netns.Named(n.Netns)
	case n.PIDFile == "" && n.PID == 0:
		return netns.Own()
	}
	pid := n.PID
	if n.PIDFile != "" {
		b, err := os.ReadFile(n.PIDFile)
		if err != nil {
			return netns.Ref{}, fmt.Errorf("read pid file: %w", err)
		}
		if pid, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil || pid < 1 {
			return netns.Ref{}, fmt.Errorf("read pid file: %s holds no process ID", n.PIDFile)
		}
	}
	i, err := proc.Look(pid)
	if errors.Is(err, proc.ErrGone) || err == nil && i.Over() {
		return netns.Ref{}, fmt.Errorf("process %d does not run", pid)
	}
	if err != nil {
		return netns.Ref{}, err
	}
	return netns.Of(i.Process)
}

// The widest networks that are not most of the Internet.
const (
	widest4 = 8
	widest6 = 16
)

// bounded refuses too many hosts and too wide networks.
func (n *Network) bounded(f filter.Filter) error {
	hosts, most := 0, n.Max
	if most == 0 {
		most = defaultHosts
	}
	for _, p := range f.To {
		hosts += len(p.Nets)
		for _, net := range p.Nets {
			if wide(net) && !n.Everything {
				return fmt.Errorf("%s is most of the Internet: say everything: true if that is meant", p.Text)
			}
		}
	}
	if hosts > most {
		return fmt.Errorf("the selectors stand for %d hosts and max is %d: choose fewer, or raise max", hosts, most)
	}
	return nil
}

func wide(n netip.Prefix) bool {
	if n.Addr().Is4() {
		return n.Bits() < widest4
	}
	return n.Bits() < widest6
}

// claims are one for each address and port, so that two faults may have different peers of one namespace.
func claims(ref netns.Ref, f filter.Filter) []string {
	var out []string
	for _, p := range f.To {
		for _, n := range p.Nets {
			if len(p.Ports) == 0 {
				out = append(out, fmt.Sprintf("%s to %s", ref.Claim(), n))
			}
			for _, port := range p.Ports {
				out = append(out, fmt.Sprintf("%s to %s port %d", ref.Claim(), n, port))
			}
		}
	}
	return out
}

// radius says with numbers what else feels it.
func radius(ref netns.Ref, f filter.Filter) ([]string, error) {
	found, err := connections(ref, f)
	if err != nil {
		return nil, err
	}
	hosts, nets := 0, 0
	for _, p := range f.To {
		for _, n := range p.Nets {
			if n.IsSingleIP() {
				hosts++
			} else {
				nets++
			}
		}
	}
	var parts []string
	if hosts > 0 {
		parts = append(parts, count(hosts, "address", "addresses"))
	}
	if nets > 0 {
		parts = append(parts, count(nets, "network", "networks"))
	}
	return []string{
		strings.Join(parts, " and "),
		count(len(found), "established TCP connection", "established TCP connections"),
	}, nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
