package proxy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// toxic is one effect in one direction, as Toxiproxy reads and shows it.
type toxic struct {
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Stream     string           `json:"stream"`
	Toxicity   float64          `json:"toxicity"`
	Attributes map[string]int64 `json:"attributes"`
}

// parseRate returns thousands of bytes a second, which is what Toxiproxy counts in.
func parseRate(text string) (int64, error) {
	for unit, bits := range map[string]int64{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9} {
		number, ok := strings.CutSuffix(text, unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil || n < 0 || n > 1e6:
		case n*bits < 8000:
			return 0, errors.New("must be at least 8kbit")
		default:
			return n * bits / 8000, nil
		}
	}
	return 0, errors.New(`must be a whole number with kbit, mbit or gbit: "1mbit"`)
}

// span is a time of the config; CheckConfig has read it once.
func span(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

// kind is the effect as Toxiproxy calls it, with its values. A cut is none: the whole proxy is switched off.
func (p *Proxy) kind() (string, map[string]int64) {
	switch {
	case p.Delay != "":
		return "latency", map[string]int64{"latency": span(p.Delay).Milliseconds(), "jitter": span(p.Jitter).Milliseconds()}
	case p.Reset:
		return "reset_peer", map[string]int64{"timeout": 0}
	case p.Rate != "":
		kb, _ := parseRate(p.Rate)
		return "bandwidth", map[string]int64{"rate": kb}
	case p.LimitBytes > 0:
		return "limit_data", map[string]int64{"bytes": p.LimitBytes}
	case p.SlowClose != "":
		return "slow_close", map[string]int64{"delay": span(p.SlowClose).Milliseconds()}
	case p.Timeout != "":
		return "timeout", map[string]int64{"timeout": span(p.Timeout).Milliseconds()}
	}
	return "", nil
}

// streams are the directions, as Toxiproxy calls them.
func (p *Proxy) streams() []string {
	switch p.Stream {
	case "up":
		return []string{"upstream"}
	case "both":
		return []string{"upstream", "downstream"}
	}
	return []string{"downstream"}
}

// ours is how the names of our toxics begin.
const ours = "belay-"

// toxics are what the fault adds. Their names hold its ID, so that nobody takes them for their own.
func (p *Proxy) toxics(id string) []toxic {
	kind, values := p.kind()
	if kind == "" {
		return nil
	}
	var out []toxic
	for _, s := range p.streams() {
		out = append(out, toxic{Name: ours + id + "-" + s, Type: kind, Stream: s, Toxicity: 1, Attributes: values})
	}
	return out
}

// says is the effect in words.
func (p *Proxy) says() string {
	where := map[string]string{"": "from the dependency", "down": "from the dependency", "up": "to the dependency", "both": "in both directions"}[p.Stream]
	switch {
	case p.Delay != "" && p.Jitter != "":
		return fmt.Sprintf("everything %s comes %s ± %s later", where, p.Delay, p.Jitter)
	case p.Delay != "":
		return fmt.Sprintf("everything %s comes %s later", where, p.Delay)
	case p.Reset:
		return "each connection is reset when something comes " + where
	case p.Rate != "":
		return fmt.Sprintf("at most %s pass %s on each connection", p.Rate, where)
	case p.LimitBytes > 0:
		return fmt.Sprintf("each connection is closed after %d bytes %s", p.LimitBytes, where)
	case p.SlowClose != "":
		return fmt.Sprintf("the end of a connection %s is seen %s later", where, p.SlowClose)
	case p.Timeout != "" && span(p.Timeout) == 0:
		return "nothing passes " + where + ", and connections stay open"
	case p.Timeout != "":
		return fmt.Sprintf("nothing passes %s, and connections are closed after %s", where, p.Timeout)
	}
	return "connections are refused, and those that are open are ended"
}
