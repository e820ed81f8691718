package shape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault/network/filter"
)

const (
	// enough is how much of the delay must be seen.
	enough = 0.8
	// longestLook is how long one look at the delay may take. A longer delay is believed when there is no answer by then.
	longestLook = 2 * time.Second
	// rounds is how many times the peers are asked to see a fault that is left to chance.
	rounds = 60
	// likely is from how many percent on the effect itself must be seen, and not only that packets pass the engine.
	likely = 10
)

// Confirm asks the peers from inside the namespace and compares with the plan, and reads what the engine has counted.
func (t *target) Confirm(ctx context.Context, raw json.RawMessage) (seen string, err error) {
	err = t.with(raw, nil, func(m mechanism, u *undo, _ func() error) error {
		var parts []string
		if u.Spec.Delay > 0 {
			part, err := u.late(ctx)
			if err != nil {
				return err
			}
			parts = append(parts, part...)
		}
		part, err := u.counted(ctx, m)
		if err != nil {
			return err
		}
		seen = strings.Join(append(parts, part), "; ")
		return nil
	})
	return seen, err
}

// share is the largest part of the packets that something happens to, in percent; 0 when it is all of them.
func share(s Spec) float64 { return max(s.Loss, s.Duplicate, s.Corrupt, s.Reorder) }

// ways is how many packets of one question and its answer the fault is about.
func (u *undo) ways(p probe) int {
	n := 0
	if u.Filter.Direction.Has(true) {
		n++
	}
	// An ICMP error is the answer of a closed port of UDP, and a filter for UDP does not take it.
	refusal := p.Network == filter.UDP && p.Refused && u.Filter.Protocol == filter.UDP
	if u.Filter.Direction.Has(false) && !refusal {
		n++
	}
	return n
}

// late measures how much later the peers answer than before. Packets that are lost by chance are no measure, so a peer
// is asked three times.
func (u *undo) late(ctx context.Context) ([]string, error) {
	var seen []string
	for _, p := range u.Probes {
		ways := u.ways(p)
		if !p.Answers || ways == 0 {
			continue
		}
		want := time.Duration(float64(u.Spec.Delay-u.Spec.Jitter) * enough * float64(ways))
		within := min(2*want+p.Before+200*time.Millisecond, longestLook)
		var took [3]time.Duration
		var errs [3]error
		together(len(took), func(i int) {
			errs[i] = u.Netns.Do(func() (err error) { took[i], err = p.ask(ctx, within); return err })
		})
		slices.Sort(took[:])
		silent := !slices.Contains(errs[:], nil)
		more := took[1] - p.Before
		switch {
		case silent && !errors.Is(errs[0], errNoAnswer):
			return nil, fmt.Errorf("%s: %w", p, errs[0])
		case silent && want > within-p.Before:
			seen = append(seen, fmt.Sprintf("%s does not answer within %s, %s before", p, within, tidy(p.Before)))
		case silent && u.Spec.Loss < likely && u.Spec.Corrupt < likely:
			return nil, fmt.Errorf("%s does not answer at all within %s", p, within)
		case !silent && more < want:
			return nil, fmt.Errorf("%s answers after %s, %s before: that is not %s later", p, tidy(took[1]), tidy(p.Before), u.Spec.Delay)
		case !silent:
			seen = append(seen, fmt.Sprintf("%s answers after %s, %s before", p, tidy(took[1]), tidy(p.Before)))
		}
	}
	return seen, nil
}

func tidy(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// counted sends packets of our own until the engine has done what it is for, and reads its counts.
func (u *undo) counted(ctx context.Context, m mechanism) (string, error) {
	for n := 0; ; n++ {
		c, err := m.counts(ctx, u)
		if err != nil {
			return "", err
		}
		percent := share(u.Spec)
		switch {
		case c.Seen > 0 && (percent == 0 || c.Hit > 0 || !c.Known):
			return c.Text, nil
		case c.Seen > 0 && n >= rounds && percent < likely:
			return c.Text + ", which is too few to see it happen", nil
		case n >= rounds && c.Seen > 0:
			return "", fmt.Errorf("%s, and nothing has happened to them", c.Text)
		case c.Seen == 0 && (n >= 3 || len(u.Probes) == 0):
			return "", fmt.Errorf("no packet has met the fault: nothing here talks to %s", names(u.Filter))
		}
		together(len(u.Probes), func(i int) {
			_ = u.Netns.Do(func() error { _, err := u.Probes[i].ask(ctx, 20*time.Millisecond); return err })
		})
		if err := ctx.Err(); err != nil {
			return "", err
		}
	}
}
