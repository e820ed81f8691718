package measure

import (
	"cmp"
	"slices"
	"time"
)

// sweep goes through samples in the order in which they ended and divides the failing ones into outages.
// Outage and Tracker share it, so that live and afterwards cannot disagree.
type sweep struct {
	pace Pace
	from time.Duration
	gaps []Gap

	state State
	now   time.Duration // the latest end seen
	open  episode       // the outage that goes on, if any; with doubtful failures only it may turn out to be none
	done  []episode
}

// episode is the failing samples of one outage and the good ones that may end it.
type episode struct {
	fails int // certain failures
	doubt int // failures that overlap a gap: the observer may have been at fault

	// Of the certain failures: the earliest and latest start, the earliest end.
	firstStart, lastStart, firstEnd time.Duration
	// Of all failures, doubtful ones too: the earliest start, the latest end.
	outerStart, outerEnd time.Duration

	flaps     int
	stretches []Gap         // failing stretches that are over
	stretch   time.Duration // start of the one that goes on

	// The good answers to probes that started at or after outerEnd.
	back  bool
	upMin time.Duration // their earliest start
	upEnd time.Duration // their earliest end
	run   []Sample      // by start; without those before the last hole

	stable time.Duration // end of the sustained window, once closed
}

func (e *episode) empty() bool { return e.fails+e.doubt == 0 }

// inEndOrder sorts a copy: by end, failures first, so that a good answer at the very end of a failure comes after it.
func inEndOrder(samples []Sample) []Sample {
	sorted := slices.Clone(samples)
	slices.SortStableFunc(sorted, func(a, b Sample) int {
		if a.End != b.End {
			return cmp.Compare(a.End, b.End)
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Seq, b.Seq))
	})
	return sorted
}

func rank(s Sample) int {
	if s.Outcome == Fail {
		return 0
	}
	return 1
}

// feed takes the next sample and returns the edges it shows.
func (w *sweep) feed(s Sample) []Edge {
	w.now = max(w.now, s.End)
	switch {
	case s.Outcome == OK:
		return append(w.ok(s), w.close(s, w.pace.Timeout)...)
	case s.Outcome == Fail && s.End > w.from:
		// A window that was complete before is closed first: s belongs to what comes after.
		return append(w.close(s, w.pace.Timeout), w.fail(s)...)
	}
	return w.close(s, w.pace.Timeout)
}

func (w *sweep) fail(s Sample) (edges []Edge) {
	e := &w.open
	doubtful := overlapsAny(w.gaps, s.Start, s.End)
	if e.empty() {
		e.outerStart, e.outerEnd = s.Start, s.End
	}
	e.outerStart, e.outerEnd = min(e.outerStart, s.Start), max(e.outerEnd, s.End)
	wasBack, upMin, upEnd := e.back, e.upMin, e.upEnd
	e.back, e.run = false, nil
	if doubtful {
		e.doubt++
		return nil
	}
	edge := Edge{At: s.Start, Seen: s.End, Sample: s}
	switch {
	case e.fails == 0:
		e.firstStart, e.lastStart, e.firstEnd, e.stretch = s.Start, s.Start, s.End, s.Start
		edge.Kind = EdgeDown
		edges = append(edges, edge)
	case wasBack && s.Start >= upEnd:
		// Only a probe that started after a good answer had come proves that the service went down again.
		e.flaps++
		e.stretches = append(e.stretches, Gap{From: e.stretch, Until: upMin})
		e.stretch = s.Start
		edge.Kind = EdgeFlap
		edges = append(edges, edge)
	}
	e.fails++
	e.firstStart, e.lastStart, e.firstEnd = min(e.firstStart, s.Start), max(e.lastStart, s.Start), min(e.firstEnd, s.End)
	e.stretch = min(e.stretch, s.Start)
	w.state = StateDown
	return edges
}

func (w *sweep) ok(s Sample) []Edge {
	e := &w.open
	if e.empty() || s.Start < e.outerEnd {
		return nil
	}
	first := !e.back
	if first {
		e.back, e.upMin, e.upEnd = true, s.Start, s.End
	}
	e.upMin, e.upEnd = min(e.upMin, s.Start), min(e.upEnd, s.End)
	at, _ := slices.BinarySearchFunc(e.run, s, func(a, b Sample) int { return cmp.Compare(a.Start, b.Start) })
	e.run = slices.Insert(e.run, at, s)
	if !first || e.fails == 0 {
		return nil
	}
	w.state = StateRecovering
	return []Edge{{Kind: EdgeUp, At: s.Start, Seen: s.End, Sample: s}}
}

// close ends the open outage when its window is over: good answers cover it without a hole, and every probe
// that started within it has had `settle` to end.
func (w *sweep) close(s Sample, settle time.Duration) []Edge {
	e := &w.open
	window := w.pace.Sustained()
	for len(e.run) > 0 {
		start := e.run[0].Start
		if e.run[len(e.run)-1].Start-start < window || w.now < start+window+settle {
			return nil
		}
		if s.Outcome == Fail && s.Start < start+window {
			return nil // it started within the window, which it breaks
		}
		if hole := w.hole(e.run, start+window); hole > 0 {
			e.run = e.run[hole:]
			continue
		}
		e.stable = start + window
		closed := *e
		*e = episode{}
		if closed.fails == 0 {
			return nil
		}
		w.done = append(w.done, closed)
		w.state = StateStable
		return []Edge{{Kind: EdgeStable, At: closed.stable, Seen: w.now, Sample: s}}
	}
	return nil
}

// hole returns the index after the first hole between samples up to the instant until; zero when there is none.
func (w *sweep) hole(run []Sample, until time.Duration) int {
	for i := 1; i < len(run) && run[i-1].Start < until; i++ {
		a, b := run[i-1].Start, run[i].Start
		if b-a > w.pace.Grace() || overlapsAny(w.gaps, a, b) {
			return i
		}
	}
	return 0
}

// overlapsAny says whether [from, until] has more than a point in common with a gap.
func overlapsAny(gaps []Gap, from, until time.Duration) bool {
	for _, g := range gaps {
		if g.From < until && from < g.Until {
			return true
		}
	}
	return false
}
