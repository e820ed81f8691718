package proxy

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
)

// Proxy is the config of a fault in a TCP proxy: one effect, and either a proxy in the holder (listen and upstream) or one
// of a Toxiproxy server that the team runs already (server and name).
type Proxy struct {
	// Listen is where the application connects to: "127.0.0.1:15432". With a server it is only needed where that is not what the server says.
	Listen string `yaml:"listen,omitempty" json:"listen,omitempty"`
	// Upstream is the dependency: "127.0.0.1:5432".
	Upstream string `yaml:"upstream,omitempty" json:"upstream,omitempty"`
	// Expose lets the proxy listen on an address that other hosts can reach.
	Expose bool `yaml:"expose,omitempty" json:"expose,omitempty"`
	// Server is the HTTP API of a running Toxiproxy: "http://127.0.0.1:8474". Name is the proxy there.
	Server string `yaml:"server,omitempty" json:"server,omitempty"`
	Name   string `yaml:"name,omitempty" json:"name,omitempty"`

	// Delay is how much later everything comes, Jitter by how much that varies: "100ms".
	Delay  string `yaml:"delay,omitempty" json:"delay,omitempty"`
	Jitter string `yaml:"jitter,omitempty" json:"jitter,omitempty"`
	// Cut refuses all connections and ends those that are open. It needs a server.
	Cut bool `yaml:"cut,omitempty" json:"cut,omitempty"`
	// Reset resets each connection when something is sent through it.
	Reset bool `yaml:"reset,omitempty" json:"reset,omitempty"`
	// Rate is how much passes at most: "1mbit".
	Rate string `yaml:"rate,omitempty" json:"rate,omitempty"`
	// LimitBytes is after how many bytes a connection is closed.
	LimitBytes int64 `yaml:"limit_bytes,omitempty" json:"limit_bytes,omitempty"`
	// SlowClose is how much later a connection is seen to end: "2s".
	SlowClose string `yaml:"slow_close,omitempty" json:"slow_close,omitempty"`
	// Timeout is how long nothing passes before the connection is closed; "0s" never closes it.
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`

	// Stream is down (from the dependency, the default), up (to it) or both.
	Stream string `yaml:"stream,omitempty" json:"stream,omitempty"`
	// Ping is how the effect is seen: http, postgres, redis, greeting, or a text that the dependency answers.
	Ping string `yaml:"ping,omitempty" json:"ping,omitempty"`
}

// longest is how long an effect may take to be seen: a confirmation has ten seconds.
const longest = 4 * time.Second

// CheckConfig says what is wrong.
func (p *Proxy) CheckConfig() map[string]string {
	wrong := map[string]string{}
	p.checkPlace(wrong)
	p.checkEffect(wrong)
	if p.Stream != "" && !open(p.Stream) && p.Stream != "down" && p.Stream != "up" && p.Stream != "both" {
		wrong["stream"] = "must be down, up or both"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// open says that a text has a placeholder, so that what it will be is not known yet.
func open(text string) bool { return strings.Contains(text, "${") }

func (p *Proxy) checkPlace(wrong map[string]string) {
	switch {
	case p.Server == "" && p.Name == "" && (p.Listen == "" || p.Upstream == ""):
		wrong[""] = "give listen and upstream, or the server of a running Toxiproxy and the name of its proxy"
		return
	case (p.Server == "") != (p.Name == ""):
		wrong[""] = "server and name belong together"
		return
	case p.Server != "" && p.Upstream != "":
		wrong["upstream"] = "the server knows the upstream of its proxy: leave it out"
	case p.Server != "" && p.Expose:
		wrong["expose"] = "the server decides where its proxy listens: leave it out"
	}
	for key, address := range map[string]string{"listen": p.Listen, "upstream": p.Upstream} {
		if address != "" && !open(address) && !hostPort(address) {
			wrong[key] = `must be an address and a port: "127.0.0.1:15432"`
		}
	}
	if u, err := url.Parse(p.Server); p.Server != "" && !open(p.Server) &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil) {
		wrong["server"] = `must be a URL: "http://127.0.0.1:8474"`
	}
}

func hostPort(address string) bool {
	_, port, err := net.SplitHostPort(address)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && n > 0 && n < 1<<16
}

func (p *Proxy) checkEffect(wrong map[string]string) {
	n := 0
	for _, given := range []bool{p.Delay != "", p.Cut, p.Reset, p.Rate != "", p.LimitBytes != 0, p.SlowClose != "", p.Timeout != ""} {
		if given {
			n++
		}
	}
	if n != 1 && wrong[""] == "" {
		wrong[""] = "give exactly one of delay, cut, reset, rate, limit_bytes, slow_close and timeout"
	}
	for key, v := range map[string]struct {
		text string
		most time.Duration
	}{"delay": {p.Delay, longest}, "jitter": {p.Jitter, longest}, "slow_close": {p.SlowClose, longest}, "timeout": {p.Timeout, time.Hour}} {
		if v.text == "" || open(v.text) {
			continue
		}
		d, err := time.ParseDuration(v.text)
		if zero := key == "timeout" && d == 0; err != nil || !zero && (d < time.Millisecond || d > v.most) {
			wrong[key] = "must be a time with a unit, 1ms to " + v.most.String()
		}
	}
	delay, derr := time.ParseDuration(p.Delay)
	jitter, jerr := time.ParseDuration(p.Jitter)
	switch {
	case p.Jitter != "" && p.Delay == "":
		wrong["jitter"] = "belongs to a delay"
	case jerr == nil && derr == nil && jitter > delay:
		wrong["jitter"] = "must not be above the delay"
	}
	if _, err := parseRate(p.Rate); p.Rate != "" && !open(p.Rate) && err != nil {
		wrong["rate"] = err.Error()
	}
	switch {
	case p.LimitBytes < 0:
		wrong["limit_bytes"] = "must be above zero"
	case p.Cut && p.Server == "" && wrong[""] == "":
		wrong["cut"] = "needs the server of a running Toxiproxy: a proxy that begins with the fault has nothing to cut; reset and timeout can be made here"
	case p.Cut && p.Stream != "":
		wrong["stream"] = "a cut is of both: leave it out"
	}
}

// Target returns the target: the proxy in the holder, or the one of a server.
func (p *Proxy) Target() fault.Target {
	if p.Server != "" {
		return &server{cfg: *p}
	}
	return &inside{cfg: *p}
}
