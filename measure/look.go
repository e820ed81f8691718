package measure

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// look is what can be said of the samples as a whole: who answered when, and where nobody looked.
type look struct {
	base OutageReport // counts and resolution
	// oks in the order of their ends, with the latest start up to each.
	okEnds   []time.Duration
	okStarts []time.Duration
	gaps     []Gap
	end      time.Duration
}

// newLook takes the samples in the order of their ends.
func newLook(sorted []Sample, gaps []Gap, pace Pace, from, end time.Duration) *look {
	l := &look{end: end, gaps: slices.Clone(gaps)}
	var seen []Sample
	latest := minInstant
	for _, s := range sorted {
		switch s.Outcome {
		case OK:
			l.base.OKs++
			latest = max(latest, s.Start)
			l.okEnds, l.okStarts = append(l.okEnds, s.End), append(l.okStarts, latest)
			seen = append(seen, s)
		case Fail:
			l.base.Fails++
			if !overlapsAny(gaps, s.Start, s.End) {
				seen = append(seen, s)
			}
		default:
			l.base.Voids++
		}
	}
	slices.SortFunc(seen, func(a, b Sample) int { return cmp.Compare(a.Start, b.Start) })
	l.gaps = append(l.gaps, impliedGaps(seen, pace)...)
	l.base.Resolution = resolution(seen, from, end)
	return l
}

// impliedGaps are the stretches between two conclusive probes that are too long to count as looking.
func impliedGaps(byStart []Sample, pace Pace) []Gap {
	var gaps []Gap
	for i := 1; i < len(byStart); i++ {
		if a, b := byStart[i-1].Start, byStart[i].Start; b-a > pace.Grace() {
			gaps = append(gaps, Gap{From: a, Until: b})
		}
	}
	return gaps
}

// resolution is the longest time a failure could have lasted between two probes without either meeting it. A probe meets the service
// anywhere between its start and its end: the worst case is one that met it at once and a next one that met it last.
func resolution(byStart []Sample, from, end time.Duration) time.Duration {
	if len(byStart) == 0 {
		return max(0, end-max(from, 0))
	}
	worst := end - max(byStart[len(byStart)-1].Start, from)
	soonest := byStart[len(byStart)-1].End
	for i := len(byStart) - 2; i >= 0; i-- {
		if s := byStart[i]; soonest > from {
			worst = max(worst, soonest-max(s.Start, from))
		}
		soonest = min(soonest, byStart[i].End)
	}
	if from > minInstant && byStart[0].Start > from {
		worst = max(worst, soonest-from)
	}
	return max(0, worst)
}

// lastGoodBefore is the latest start of a good probe that had ended by t.
func (l *look) lastGoodBefore(t time.Duration) (time.Duration, bool) {
	n := sort.Search(len(l.okEnds), func(i int) bool { return l.okEnds[i] > t })
	if n == 0 {
		return 0, false
	}
	return l.okStarts[n-1], true
}

// report bounds one outage. The inner side of each interval uses certain failures only, the outer side doubtful ones too.
func (l *look) report(e *episode, stable bool) OutageReport {
	r := l.base
	r.Happened, r.episodeFails = true, e.fails
	r.FirstFail, r.LastFail, r.Span = e.firstStart, e.lastStart, e.lastStart-e.firstStart
	r.Flaps = e.flaps
	r.Start.After, r.StartSeen = l.lastGoodBefore(e.outerStart)
	r.Start.Until = e.firstEnd
	last := Gap{From: e.stretch, Until: e.lastStart}
	if e.back {
		last.Until = e.upMin
	}
	r.stretches = append(slices.Clone(e.stretches), last)
	r.Failing = covered(r.stretches)
	r.Ongoing = !stable
	if stable {
		first, at := e.run[0].Start, e.stable
		r.FirstOK, r.Stable = &first, &at
		r.Stop = Interval{After: e.lastStart, Until: e.upEnd}
		r.Bounds = between(r.Start, r.Stop)
	} else {
		r.Bounds = Bounds{Lower: max(0, e.lastStart-e.firstEnd)}
	}
	r.Bounds.Censored = !stable || !r.StartSeen
	if r.Bounds.Censored {
		r.Bounds.Upper = 0
	}
	r.Gaps = l.touching(r)
	return r
}

// touching returns the gaps that widened the start or the end.
func (l *look) touching(r OutageReport) []Gap {
	spans := []Interval{r.Stop}
	if r.StartSeen {
		spans = append(spans, r.Start)
	}
	if r.Ongoing {
		spans[0] = Interval{After: r.LastFail, Until: max(l.end, r.LastFail)}
	}
	var touched []Gap
	for _, g := range l.gaps {
		for _, s := range spans {
			if g.From < s.Until && s.After < g.Until && !slices.Contains(touched, g) {
				touched = append(touched, g)
			}
		}
	}
	slices.SortFunc(touched, func(a, b Gap) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Until, b.Until)) })
	return touched
}

// covered is how much time the spans cover; what several of them cover counts once.
func covered(spans []Gap) time.Duration {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	var sum time.Duration
	at := minInstant
	for _, s := range sorted {
		from := max(s.From, at)
		if s.Until > from {
			sum += s.Until - from
			at = s.Until
		}
	}
	return sum
}
