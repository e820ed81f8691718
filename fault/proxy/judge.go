package proxy

import (
	"context"
	"fmt"
	"net"
	"time"
)

// seen is how the effect can be seen: where, by what, and what came of it before the fault.
type seen struct {
	Address  string `json:"address"`
	Question string `json:"question,omitempty"`
	Before   answer `json:"before"`
}

// shortest is the smallest difference in time that tells a slow answer from a normal one.
const shortest = 10 * time.Millisecond

// tells refuses an effect that this question cannot show.
func (p *Proxy) tells(s seen) error {
	up := p.Stream == "up"
	bytes := s.Before.Bytes
	if up {
		bytes = len(s.Question)
	}
	what := "the answer from"
	if up {
		what = "the question to"
	}
	kb, _ := parseRate(p.Rate)
	switch {
	case p.Rate != "" && time.Duration(bytes)*time.Millisecond/time.Duration(kb) < shortest:
		return fmt.Errorf("%s %s has %d bytes, too few to see a rate of %s: give a ping with at least %d", what, s.Address, bytes, p.Rate, kb*shortest.Milliseconds())
	case p.LimitBytes > 0 && int64(bytes) <= p.LimitBytes:
		return fmt.Errorf("%s %s has %d bytes, too few to see a limit of %d: give a ping with more", what, s.Address, bytes, p.LimitBytes)
	case up && s.Question == "":
		return fmt.Errorf("%s speaks first, so what goes up to it cannot be seen: give a ping that it answers", s.Address)
	}
	return nil
}

// confirm asks through the proxy and says what is different now.
func (p *Proxy) confirm(ctx context.Context, s seen) (string, error) {
	was := s.Before.First.Round(10 * time.Microsecond)
	try := func(want int, wait time.Duration, hangUp bool) answer {
		return ask(ctx, s.Address, s.Question, want, wait, hangUp)
	}
	least := time.Duration(len(p.streams())) * (span(p.Delay) - span(p.Jitter))
	switch {
	case p.Cut:
		if a := try(1, patience, false); a.Bytes == 0 && (a.End == refused || a.End == reset || a.End == closed) {
			return fmt.Sprintf("a connection to %s is %s; before, the answer came after %s", s.Address, a.End, was), nil
		}
		return "", fmt.Errorf("%s still answers", s.Address)
	case p.Delay != "":
		a := try(1, 2*longest+patience, false)
		if a.err != nil || a.First < least {
			return "", p.unlike(s, a, "at least "+least.String()+" later")
		}
		return fmt.Sprintf("the answer from %s came after %s; before, after %s", s.Address, a.First.Round(10*time.Microsecond), was), nil
	case p.Reset:
		if a := try(1, patience, false); a.End != reset {
			return "", p.unlike(s, a, "a reset")
		}
		return fmt.Sprintf("a connection to %s was reset; before, the answer came after %s", s.Address, was), nil
	case p.Rate != "":
		return p.confirmRate(s, try(s.Before.Bytes, 2*longest, false))
	case p.LimitBytes > 0:
		a := try(0, patience, false)
		if a.Bytes >= s.Before.Bytes || a.End == stayed || p.Stream != "up" && int64(a.Bytes) > p.LimitBytes {
			return "", p.unlike(s, a, "an answer that is cut short")
		}
		return fmt.Sprintf("%d bytes came from %s, then the connection was %s; before, %d bytes came", a.Bytes, s.Address, a.End, s.Before.Bytes), nil
	case p.SlowClose != "":
		a := try(s.Before.Bytes, 2*longest+patience, true)
		if a.err != nil || a.After < span(p.SlowClose)-shortest {
			return "", p.unlike(s, a, "an end "+p.SlowClose+" later")
		}
		return fmt.Sprintf("a connection to %s ended %s after the last byte", s.Address, a.After.Round(time.Millisecond)), nil
	}
	return p.confirmTimeout(s, try(1, max(quiet, 5*s.Before.First), false))
}

func (p *Proxy) confirmRate(s seen, a answer) (string, error) {
	bytes := s.Before.Bytes
	if p.Stream == "up" {
		bytes = len(s.Question)
	}
	kb, _ := parseRate(p.Rate)
	least := time.Duration(bytes) * time.Millisecond / time.Duration(kb) * 9 / 10
	if a.Bytes == 0 || a.All < least {
		return "", p.unlike(s, a, "an answer after "+least.String())
	}
	return fmt.Sprintf("%d bytes with %s took %s; before, %s", bytes, s.Address, a.All.Round(10*time.Microsecond), s.Before.All.Round(10*time.Microsecond)), nil
}

func (p *Proxy) confirmTimeout(s seen, a answer) (string, error) {
	if a.Bytes > 0 || a.End != stayed && a.End != closed && a.End != reset {
		return "", p.unlike(s, a, "silence")
	}
	return fmt.Sprintf("%s was silent for %s; before, the answer came after %s", s.Address, a.After.Round(time.Millisecond), s.Before.First.Round(10*time.Microsecond)), nil
}

// unlike says what came instead of the effect.
func (p *Proxy) unlike(s seen, a answer, want string) error {
	if a.err != nil {
		return fmt.Errorf("ask %s: want %s: %w", s.Address, want, a.err)
	}
	return fmt.Errorf("ask %s: want %s: %d bytes came after %s, and the connection is %s", s.Address, want, a.Bytes, a.First, a.End)
}

// loopback says that only this host can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
