package probe

import (
	"context"
	"net"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Probe connects and hangs up. An open port says little about the service behind it: prefer HTTP where there is HTTP.
func (c *TCP) Probe(ctx context.Context) Answer {
	ctx, cancel := withTimeout(ctx, c.Timeout)
	defer cancel()
	began := time.Now()
	dialer := net.Dialer{Resolver: &net.Resolver{PreferGo: true}, FallbackDelay: -1}
	conn, err := dialer.DialContext(ctx, "tcp", c.Address)
	ex := Explanation{Asked: "connect to " + c.Address, Timings: []Timing{{Name: "connect", Took: time.Since(began)}}}
	if err != nil {
		a := answer(ctx, err)
		a.Explain = ex
		return a
	}
	defer conn.Close()
	ex.Got = "connected"
	return Answer{Outcome: measure.OK, Address: conn.RemoteAddr().String(), Explain: ex}
}
