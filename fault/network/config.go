package network

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network/filter"
)

// Network is the config of a fault of the network: exactly one of the actions, and where it is made.
type Network struct {
	// Partition cuts peers off.
	Partition *Partition `yaml:"partition,omitempty" json:"partition,omitempty"`
	// Blackhole cuts hosts off by a route: whatever is sent there vanishes.
	Blackhole *Blackhole `yaml:"blackhole,omitempty" json:"blackhole,omitempty"`
	// Reset ends TCP connections as a peer that restarts does.
	Reset *Reset `yaml:"reset,omitempty" json:"reset,omitempty"`
	// Delay makes packets late.
	Delay *Delay `yaml:"delay,omitempty" json:"delay,omitempty"`
	// Loss loses packets at random.
	Loss *Share `yaml:"loss,omitempty" json:"loss,omitempty"`
	// Duplicate sends packets twice.
	Duplicate *Share `yaml:"duplicate,omitempty" json:"duplicate,omitempty"`
	// Corrupt changes bits of packets.
	Corrupt *Share `yaml:"corrupt,omitempty" json:"corrupt,omitempty"`
	// Reorder lets packets overtake others.
	Reorder *Reorder `yaml:"reorder,omitempty" json:"reorder,omitempty"`
	// Rate limits how much gets through.
	Rate *Rate `yaml:"rate,omitempty" json:"rate,omitempty"`

	// Netns is the network namespace, by the name that `ip netns` gives it. It, PIDFile and PID exclude each other; without
	// any it is the one of this host.
	Netns string `yaml:"netns,omitempty" json:"netns,omitempty"`
	// PIDFile and PID name a process whose network namespace it is.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// Max is how many hosts the selectors may stand for at most; 0 means 16. A network in CIDR form is one.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// Everything allows selectors that are most of the Internet, such as 0.0.0.0/0.
	Everything bool `yaml:"everything,omitempty" json:"everything,omitempty"`
	// EvenRunner allows to cut what the runner itself needs.
	EvenRunner bool `yaml:"even_runner,omitempty" json:"even_runner,omitempty"`

	// only restricts the mechanisms, for tests of the weaker ones.
	only string
}

// Where says which packets an action is about.
type Where struct {
	// To are the peers: host, host:port, address, [address]:port, or network such as 10.1.0.0/16.
	To []string `yaml:"to,omitempty" json:"to,omitempty"`
	// Ports of the peers that name none; none is every port.
	Ports []uint16 `yaml:"ports,omitempty" json:"ports,omitempty"`
	// Protocol is any, tcp, udp or icmp.
	Protocol string `yaml:"protocol,omitempty" json:"protocol,omitempty"`
	// Direction is out, in or both, seen from where the fault is made.
	Direction string `yaml:"direction,omitempty" json:"direction,omitempty"`
}

// Partition cuts peers off.
type Partition struct {
	Where `yaml:",inline"`
	// How: drop loses packets silently, reject answers with a reset or an ICMP error, blackhole takes a route.
	How string `yaml:"how,omitempty" json:"how,omitempty"`
	// Forward cuts what this namespace only passes on, too: it is a router's.
	Forward bool `yaml:"forward,omitempty" json:"forward,omitempty"`
}

// Blackhole cuts hosts off by a route.
type Blackhole struct {
	To []string `yaml:"to,omitempty" json:"to,omitempty"`
}

// Reset ends TCP connections.
type Reset struct {
	To    []string `yaml:"to,omitempty" json:"to,omitempty"`
	Ports []uint16 `yaml:"ports,omitempty" json:"ports,omitempty"`
	// Once ends those that exist now, and lets new ones be. Without it new ones are reset for as long as the fault is held.
	Once bool `yaml:"once,omitempty" json:"once,omitempty"`
}

// Delay makes packets late.
type Delay struct {
	Where `yaml:",inline"`
	// Time is by how much, and Jitter how much more or less at random.
	Time   Span `yaml:"time" json:"time"`
	Jitter Span `yaml:"jitter,omitempty" json:"jitter,omitempty"`
}

// Share does something to a part of the packets.
type Share struct {
	Where   `yaml:",inline"`
	Percent float64 `yaml:"percent" json:"percent"`
}

// Reorder sends a part of the packets at once and the others later, by By.
type Reorder struct {
	Where   `yaml:",inline"`
	Percent float64 `yaml:"percent" json:"percent"`
	By      Span    `yaml:"by,omitempty" json:"by,omitempty"`
}

// Rate limits how much gets through.
type Rate struct {
	Where `yaml:",inline"`
	Rate  Bits `yaml:"rate" json:"rate"`
}

// short takes a peer or a list of them for {to: [...]}.
func short(to *[]string, values []string) error {
	if len(values) == 0 {
		return errors.New("give at least one peer: host, host:port, address or network")
	}
	*to = values
	return nil
}

// Short accepts {partition: "db:5432"} for {partition: {to: ["db:5432"]}}.
func (p *Partition) Short(values []string, _ bool) error { return short(&p.To, values) }

// Short accepts {blackhole: 10.0.0.2} for {blackhole: {to: [10.0.0.2]}}.
func (b *Blackhole) Short(values []string, _ bool) error { return short(&b.To, values) }

// Short accepts {reset: "db:5432"} for {reset: {to: ["db:5432"]}}.
func (r *Reset) Short(values []string, _ bool) error { return short(&r.To, values) }

// UnmarshalJSON accepts the short form too.
func (p *Partition) UnmarshalJSON(b []byte) error {
	type plain Partition
	return fault.ShortJSON(b, p.Short, (*plain)(p))
}

// UnmarshalJSON accepts the short form too.
func (b *Blackhole) UnmarshalJSON(j []byte) error {
	type plain Blackhole
	return fault.ShortJSON(j, b.Short, (*plain)(b))
}

// UnmarshalJSON accepts the short form too.
func (r *Reset) UnmarshalJSON(b []byte) error {
	type plain Reset
	return fault.ShortJSON(b, r.Short, (*plain)(r))
}

// actions are the names of all actions, in the order of the documentation.
const actions = "partition, blackhole, reset, delay, loss, duplicate, corrupt, reorder and rate"

// action is the one that a config names.
func (n *Network) action() (name string, a action) {
	count := 0
	pick := func(there bool, key string, value action) {
		if there {
			count++
			name, a = key, value
		}
	}
	pick(n.Partition != nil, "partition", n.Partition)
	pick(n.Blackhole != nil, "blackhole", n.Blackhole)
	pick(n.Reset != nil, "reset", n.Reset)
	pick(n.Delay != nil, "delay", n.Delay)
	pick(n.Loss != nil, "loss", n.Loss)
	pick(n.Duplicate != nil, "duplicate", n.Duplicate)
	pick(n.Corrupt != nil, "corrupt", n.Corrupt)
	pick(n.Reorder != nil, "reorder", n.Reorder)
	pick(n.Rate != nil, "rate", n.Rate)
	if count != 1 {
		return "", nil
	}
	return name, a
}

// action is what all actions have.
type action interface {
	// where is which packets it is about, with the defaults of the action filled in.
	where() Where
	// check says what is wrong, by key below the action.
	check() map[string]string
}

// CheckConfig says what is wrong.
func (n *Network) CheckConfig() map[string]string {
	name, a := n.action()
	if a == nil {
		return map[string]string{"": "give exactly one of " + actions}
	}
	wrong := map[string]string{}
	for key, why := range a.check() {
		wrong[name+"."+key] = why
	}
	given := 0
	for _, there := range []bool{n.Netns != "", n.PIDFile != "", n.PID != 0} {
		if there {
			given++
		}
	}
	if given > 1 {
		wrong[""] = "give at most one of netns, pid_file and pid"
	}
	if n.PID < 0 {
		wrong["pid"] = "must be above 0"
	}
	if n.Max < 0 || n.Max > maxHosts {
		wrong["max"] = fmt.Sprintf("must be 1 to %d", maxHosts)
	}
	return wrong
}

const (
	// defaultHosts is max when it is not given, and maxHosts its largest value.
	defaultHosts = 16
	maxHosts     = 256
	// maxSelectors is how many peers one fault may name.
	maxSelectors = 64
	// maxPorts is how many ports a peer may have.
	maxPorts = 64
)

// check says what is wrong with selectors.
func (w Where) check() map[string]string {
	wrong := map[string]string{}
	switch {
	case len(w.To) == 0:
		wrong["to"] = "name at least one peer: host, host:port, address or network"
	case len(w.To) > maxSelectors:
		wrong["to"] = fmt.Sprintf("names %d peers; the most is %d", len(w.To), maxSelectors)
	}
	for i, text := range w.To {
		if strings.Contains(text, "${") {
			continue // its value is checked when it has one
		}
		if err := filter.CheckSelector(text); err != nil {
			wrong[fmt.Sprintf("to[%d]", i)] = err.Error()
		}
	}
	for i, p := range w.Ports {
		if p == 0 {
			wrong[fmt.Sprintf("ports[%d]", i)] = "must be 1 to 65535"
		}
	}
	if len(w.Ports) > maxPorts {
		wrong["ports"] = fmt.Sprintf("names %d ports; the most is %d", len(w.Ports), maxPorts)
	}
	if !oneOf(w.Protocol, "any", "tcp", "udp", "icmp") {
		wrong["protocol"] = "must be any, tcp, udp or icmp"
	}
	if !oneOf(w.Direction, "out", "in", "both") {
		wrong["direction"] = "must be out, in or both"
	}
	if w.Protocol == "icmp" && len(w.Ports) > 0 {
		wrong["ports"] = "icmp has none"
	}
	return wrong
}

func oneOf(value string, of ...string) bool {
	for _, s := range of {
		if value == s {
			return true
		}
	}
	return value == ""
}

// with fills in what was not given.
func (w Where) with(protocol, direction string) Where {
	if w.Protocol == "" {
		w.Protocol = protocol
	}
	if w.Direction == "" {
		w.Direction = direction
	}
	return w
}

func (p *Partition) where() Where { return p.Where.with("any", "both") }

func (p *Partition) check() map[string]string {
	wrong := p.Where.check()
	if !oneOf(p.How, "drop", "reject", "blackhole") {
		wrong["how"] = "must be drop, reject or blackhole"
	}
	if p.How == "blackhole" {
		maps.Copy(wrong, p.routable())
	}
	return wrong
}

// routable says why a route cannot do it.
func (p *Partition) routable() map[string]string {
	wrong := map[string]string{}
	if len(p.Ports) > 0 || p.Forward || p.Protocol != "" && p.Protocol != "any" || p.Direction != "" && p.Direction != "out" {
		wrong["how"] = "a blackhole route is about hosts as a whole and what is sent to them: leave out ports, protocol, direction and forward, or take drop"
	}
	maps.Copy(wrong, portless(p.To))
	return wrong
}

// portless refuses selectors with ports.
func portless(to []string) map[string]string {
	wrong := map[string]string{}
	for i, text := range to {
		if filter.HasPort(text) {
			wrong[fmt.Sprintf("to[%d]", i)] = fmt.Sprintf("%q has a port, and a route is about hosts as a whole: leave it out, or take partition with how: drop", text)
		}
	}
	return wrong
}

func (b *Blackhole) where() Where { return Where{To: b.To}.with("any", "out") }

func (b *Blackhole) check() map[string]string {
	wrong := Where{To: b.To}.check()
	maps.Copy(wrong, portless(b.To))
	return wrong
}

func (r *Reset) where() Where { return Where{To: r.To, Ports: r.Ports}.with("tcp", "both") }

func (r *Reset) check() map[string]string { return Where{To: r.To, Ports: r.Ports}.check() }
