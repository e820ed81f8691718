package measure

import (
	"cmp"
	"slices"
	"time"
)

// Together says what several targets show as one, for example the services that an exercise covers. It is down while any of
// them is. The outage begins with the first failure of any and ends with the last failure of any before a window in which
// all of them answered. What fails after such a window is another outage, a relapse. With one target it is Outages.
//
// Reports are in order; when nothing failed there is one that says so. A target whose failures are all in doubt (they overlap
// a gap) is no part of an outage, but it holds up the window.
func Together(targets [][]Sample, gaps []Gap, pace Pace, from, end time.Duration) []OutageReport {
	t := together{gaps: gaps, pace: pace}
	var parts []targetOutage
	for i, samples := range targets {
		found := Outages(samples, gaps, pace, from, end)
		for _, r := range found {
			if r.Happened {
				parts = append(parts, targetOutage{r, i})
			}
		}
		t.count(found[0])
		t.chains = append(t.chains, chainOf(samples, from))
	}
	slices.SortStableFunc(parts, func(a, b targetOutage) int { return cmp.Compare(a.FirstFail, b.FirstFail) })
	var reports []OutageReport
	for len(parts) > 0 {
		n, window := t.first(parts)
		reports = append(reports, t.combine(parts[:n], window))
		parts = parts[n:]
	}
	if len(reports) == 0 {
		return []OutageReport{t.base}
	}
	return reports
}

// Total is the length of outages taken together, without the stable stretches between them.
func Total(reports []OutageReport) Bounds {
	var sum Bounds
	for _, r := range reports {
		if !r.Happened {
			continue
		}
		sum.Lower += r.Bounds.Lower
		sum.Upper += r.Bounds.Upper
		sum.Censored = sum.Censored || r.Bounds.Censored
	}
	if sum.Censored {
		sum.Upper = 0
	}
	return sum
}

// together is what is known of all targets.
type together struct {
	gaps   []Gap
	pace   Pace
	base   OutageReport // counts and resolution
	chains [][]Sample
}

// targetOutage is one outage of one target.
type targetOutage struct {
	OutageReport
	target int
}

// count adds the samples of a target, and takes the worst resolution.
func (t *together) count(r OutageReport) {
	t.base.OKs += r.OKs
	t.base.Fails += r.Fails
	t.base.Voids += r.Voids
	t.base.Resolution = max(t.base.Resolution, r.Resolution)
}

// chainOf are the conclusive samples in the order of their starts, without failures that had ended by from.
func chainOf(samples []Sample, from time.Duration) []Sample {
	var chain []Sample
	for _, s := range samples {
		if s.Outcome == OK || s.Outcome == Fail && s.End > from {
			chain = append(chain, s)
		}
	}
	slices.SortStableFunc(chain, func(a, b Sample) int { return cmp.Compare(a.Start, b.Start) })
	return chain
}

// first returns how many of the parts, which are in the order of their first failures, belong to the first outage, and where
// the window begins that ends it; nil when none does.
func (t *together) first(parts []targetOutage) (n int, window *time.Duration) {
	var back time.Duration = minInstant
	for n = 1; ; n++ {
		last := parts[n-1]
		if last.Ongoing {
			return len(parts), nil
		}
		back = max(back, *last.FirstOK)
		window = t.window(back)
		if n == len(parts) || window != nil && parts[n].FirstFail >= *window+t.pace.Sustained() {
			return n, window
		}
	}
}

// window is where the first window at or after an instant begins in which every target answered; nil when there is none.
func (t *together) window(at time.Duration) *time.Duration {
	for moved := true; moved; {
		moved = false
		for _, chain := range t.chains {
			next, ok := t.covers(chain, at)
			if !ok {
				return nil
			}
			if next > at {
				at, moved = next, true
			}
		}
	}
	return &at
}

// covers returns at when the chain is good from there for a whole window, or else the next instant at which it may be.
func (t *together) covers(chain []Sample, at time.Duration) (next time.Duration, ok bool) {
	until := at + t.pace.Sustained()
	last := minInstant // start of the latest good answer of the stretch
	for i, s := range chain {
		switch {
		case s.Outcome == Fail:
			if s.Start < until && s.End > at {
				return nextGood(chain, s.End)
			}
			continue
		case s.Start > at && (last == minInstant || s.Start-last > t.pace.Grace() || overlapsAny(t.gaps, last, s.Start)):
			return nextGood(chain[i:], s.Start)
		}
		if last = s.Start; last >= until {
			return at, true
		}
	}
	return 0, false
}

// nextGood is the start of the first good answer at or after an instant.
func nextGood(chain []Sample, at time.Duration) (time.Duration, bool) {
	for _, s := range chain {
		if s.Outcome == OK && s.Start >= at {
			return s.Start, true
		}
	}
	return 0, false
}

// combine makes one report of the parts. Each instant lies where the earliest, or the latest, of the targets' own does.
func (t *together) combine(parts []targetOutage, window *time.Duration) OutageReport {
	r := t.base
	r.Happened, r.StartSeen, r.Ongoing = true, true, window == nil
	r.Start, r.FirstFail, r.LastFail = parts[0].Start, parts[0].FirstFail, parts[0].LastFail
	targets := map[int]bool{}
	for _, p := range parts {
		targets[p.target] = true
		r.StartSeen = r.StartSeen && p.StartSeen
		r.Start = Interval{After: min(r.Start.After, p.Start.After), Until: min(r.Start.Until, p.Start.Until)}
		r.Stop = Interval{After: max(r.Stop.After, p.Stop.After), Until: max(r.Stop.Until, p.Stop.Until)}
		r.FirstFail, r.LastFail = min(r.FirstFail, p.FirstFail), max(r.LastFail, p.LastFail)
		r.Flaps += p.Flaps
		r.episodeFails += p.episodeFails
		r.stretches = append(r.stretches, p.stretches...)
		for _, g := range p.Gaps {
			if !slices.Contains(r.Gaps, g) {
				r.Gaps = append(r.Gaps, g)
			}
		}
	}
	r.Flaps += len(parts) - len(targets) // a target that failed again before all were stable
	r.Failing, r.Span = covered(r.stretches), r.LastFail-r.FirstFail
	if window != nil {
		stable := *window + t.pace.Sustained()
		r.FirstOK, r.Stable = window, &stable
		r.Bounds = between(r.Start, r.Stop)
	} else {
		r.Stop = Interval{}
		r.Bounds = Bounds{Lower: max(0, r.LastFail-r.Start.Until)}
	}
	if r.Bounds.Censored = r.Ongoing || !r.StartSeen; r.Bounds.Censored {
		r.Bounds.Upper = 0
	}
	return r
}
