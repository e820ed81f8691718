package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
)

// DNS is the config of a fault in the answers to some names.
type DNS struct {
	// Names are the names that fail: "db.example.test", or "*.svc" for everything below svc.
	Names []string `yaml:"names" json:"names"`
	// Answer is what becomes of them.
	Answer Answer `yaml:"answer" json:"answer"`
	// Example is a name that resolves now, by which the effect is seen when Names has only patterns.
	Example string `yaml:"example,omitempty" json:"example,omitempty"`
	// Upstream are the servers for all other names: address or address:port; none means those of resolv.conf.
	Upstream []string `yaml:"upstream,omitempty" json:"upstream,omitempty"`

	// Netns is the network namespace, by the name that `ip netns` gives it. It, PIDFile and PID exclude each other; without
	// any it is the one of this host.
	Netns string `yaml:"netns,omitempty" json:"netns,omitempty"`
	// PIDFile and PID name a process whose network namespace it is.
	PIDFile string `yaml:"pid_file,omitempty" json:"pid_file,omitempty"`
	PID     int    `yaml:"pid,omitempty" json:"pid,omitempty"`
	// EvenRunner allows names that the runner itself needs, and all names.
	EvenRunner bool `yaml:"even_runner,omitempty" json:"even_runner,omitempty"`
}

// Answer is exactly one of a code, an address and a time. The code may stand alone.
type Answer struct {
	// Code is nxdomain (there is no such name), servfail (the server cannot tell) or silent (no answer at all).
	Code string `yaml:"code,omitempty" json:"code,omitempty"`
	// Address is what the names have instead, one or more. It may be kept for a second.
	Address Addresses `yaml:"address,omitempty" json:"address,omitempty"`
	// Slow is how much later the right answer comes.
	Slow string `yaml:"slow,omitempty" json:"slow,omitempty"`
}

// Short accepts {answer: nxdomain} for {answer: {code: nxdomain}}.
func (a *Answer) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return errors.New("give nxdomain, servfail, silent, {address: ...} or {slow: ...}")
	}
	a.Code = values[0]
	return nil
}

// UnmarshalJSON accepts the same short form.
func (a *Answer) UnmarshalJSON(b []byte) error {
	type plain Answer
	return fault.ShortJSON(b, a.Short, (*plain)(a))
}

// Addresses are one address or a list of them.
type Addresses []string

// Short accepts one address in place of a list.
func (a *Addresses) Short(values []string, _ bool) error {
	*a = values
	return nil
}

// UnmarshalJSON accepts the same short form.
func (a *Addresses) UnmarshalJSON(b []byte) error {
	return fault.ShortJSON(b, a.Short, (*[]string)(a))
}

// The codes.
const (
	unknown  = "nxdomain"
	servfail = "servfail"
	silent   = "silent"
)

const (
	// mostNames is how many names one fault may have.
	mostNames = 100
	// slowest is how late an answer may be, so that its effect can be seen before most resolvers give up.
	slowest = 4 * time.Second
)

// CheckConfig says what is wrong.
func (d *DNS) CheckConfig() map[string]string {
	wrong := map[string]string{}
	if len(d.Names) == 0 || len(d.Names) > mostNames {
		wrong["names"] = fmt.Sprintf(`give one to %d names: "db.example.test", or "*.svc" for all below svc`, mostNames)
	}
	exact := false
	for n, name := range d.Names {
		p, err := parsePattern(name)
		if err != nil && !open(name) {
			wrong[fmt.Sprintf("names[%d]", n)] = err.Error()
		}
		if everything := err == nil && p.below && strings.Count(p.name, ".") == 0; everything && !d.EvenRunner {
			wrong[fmt.Sprintf("names[%d]", n)] = fmt.Sprintf("%s is most of all names, and the runner needs some: say even_runner: true if that is meant", name)
		}
		exact = exact || !p.below
	}
	if d.Example != "" && !open(d.Example) {
		switch p, err := parsePattern(d.Example); {
		case err != nil:
			wrong["example"] = err.Error()
		case p.below:
			wrong["example"] = "must be one name"
		case !d.covers(p.name):
			wrong["example"] = "none of the names is it: the effect could not be seen by it"
		}
	} else if !exact && len(wrong) == 0 && d.Example == "" {
		wrong["example"] = "names has only patterns: give one name that resolves now, by which the effect is seen"
	}
	d.Answer.check(wrong)
	for n, server := range d.Upstream {
		if _, err := parseServer(server); err != nil && !open(server) {
			wrong[fmt.Sprintf("upstream[%d]", n)] = `must be an address, or one with a port: "10.0.0.2", "[fd00::2]:53"`
		}
	}
	places := 0
	for _, given := range []bool{d.Netns != "", d.PIDFile != "", d.PID != 0} {
		if given {
			places++
		}
	}
	if places > 1 {
		wrong[""] = "give one of netns, pid_file and pid, or none"
	}
	if d.PID < 0 {
		wrong["pid"] = "must be above 0"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// open says that a text has a placeholder, so that what it will be is not known yet.
func open(text string) bool { return strings.Contains(text, "${") }

func (a *Answer) check(wrong map[string]string) {
	n := 0
	for _, given := range []bool{a.Code != "", len(a.Address) > 0, a.Slow != ""} {
		if given {
			n++
		}
	}
	if n != 1 {
		wrong["answer"] = "give exactly one of nxdomain, servfail, silent, {address: ...} and {slow: ...}"
		return
	}
	if a.Code != "" && !open(a.Code) && a.Code != unknown && a.Code != servfail && a.Code != silent {
		wrong["answer"] = fmt.Sprintf("%q: must be nxdomain, servfail, silent, {address: ...} or {slow: ...}", a.Code)
	}
	for _, text := range a.Address {
		if ip, err := netip.ParseAddr(text); (err != nil || ip.Zone() != "") && !open(text) {
			wrong["answer.address"] = fmt.Sprintf("%q is no IP address", text)
		}
	}
	if a.Slow != "" && !open(a.Slow) {
		if d, err := time.ParseDuration(a.Slow); err != nil || d < time.Millisecond || d > slowest {
			wrong["answer.slow"] = "must be a time with a unit, 1ms to " + slowest.String()
		}
	}
}

// parseServer reads an address with or without a port.
func parseServer(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	a, err := netip.ParseAddrPort(text)
	if err == nil && a.Port() == 0 {
		err = errors.New("port 0")
	}
	return a, err
}

// pattern is one name, or all names below one.
type pattern struct {
	// name ends with a dot and is in lower case.
	name  string
	below bool
}

// label is one part of a name, as hosts and services have them.
const label = `^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`

func parsePattern(text string) (pattern, error) {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	p := pattern{}
	if name == "*" {
		return pattern{name: "", below: true}, nil
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		p.below, name = true, rest
	}
	if len(name) > 253 || name == "" {
		return p, fmt.Errorf("%q is no name", text)
	}
	good := regexp.MustCompile(label)
	for part := range strings.SplitSeq(name, ".") {
		if !good.MatchString(part) {
			return p, fmt.Errorf("%q is no name: a pattern has its star in front, as in *.svc", text)
		}
	}
	p.name = name + "."
	return p, nil
}

// patterns are those of the config.
func (d *DNS) patterns() []pattern {
	var out []pattern
	for _, n := range d.Names {
		if p, err := parsePattern(n); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// covers says that a name, in lower case and with a dot at its end, is one of those that fail.
func (d *DNS) covers(name string) bool { return covers(d.patterns(), name) }

func covers(all []pattern, name string) bool {
	for _, p := range all {
		if p.below && (p.name == "" || strings.HasSuffix(name, "."+p.name)) || !p.below && name == p.name {
			return true
		}
	}
	return false
}

// exact are the names by which the effect is looked for: all that are given in full.
func (d *DNS) exact() []string {
	var out []string
	for _, p := range d.patterns() {
		if !p.below {
			out = append(out, p.name)
		}
	}
	if d.Example != "" {
		if p, err := parsePattern(d.Example); err == nil {
			out = append(out, p.name)
		}
	}
	return out
}

// says is the answer in words.
func (a *Answer) says() string {
	switch {
	case len(a.Address) > 0:
		return "answer with " + strings.Join(a.Address, ", ")
	case a.Slow != "":
		return "answer " + a.Slow + " later"
	case a.Code == silent:
		return "do not answer"
	case a.Code == servfail:
		return "answer SERVFAIL"
	}
	return "answer NXDOMAIN"
}

// Target returns the target.
func (d *DNS) Target() fault.Target { return newTarget(*d) }
