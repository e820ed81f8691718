package measure_test

import (
	"math/rand/v2"
	"slices"
	"time"

	. "github.com/belay-dr/belay/measure"
)

// setting describes a kind of service and a kind of observer.
type setting struct {
	name    string
	period  time.Duration
	timeout time.Duration
	jitter  time.Duration // starts lie within ± jitter of the plan
	flaps   int           // at most so many further failures
	flapLen time.Duration // typical length of a failure and of the pause before the next
	refuse  float64       // share of failing probes that end before the timeout
	void    float64       // share of probes that are void
	gaps    int           // at most so many spans in which the observer is not itself
	tail    int           // periods after the last failure; few means that some outages go on
}

func (s setting) pace() Pace { return Pace{Period: s.period, Timeout: s.timeout} }

// down is one failure of the simulated service: [from, until).
type down struct{ from, until time.Duration }

// probed is a sample with what only the simulation knows.
type probed struct {
	Sample
	planned time.Duration
	met     time.Duration // when the probe met the service, within [Start, End]
}

// history is one simulated run.
type history struct {
	setting setting
	downs   []down
	probes  []probed
	gaps    []Gap
	end     time.Duration
}

// simulate makes a history. The truth by definition: the service is down in downs; each probe meets it at one instant between
// its start and its end; it is ok when that instant is outside of every failure and fails when it is inside of one.
func simulate(r *rand.Rand, s setting) history {
	h := history{setting: s}
	at := span(r, 6*s.period) + 4*s.period + 3*s.timeout
	for range 1 + r.IntN(s.flaps+1) {
		length := span(r, 2*s.flapLen) + 1
		h.downs = append(h.downs, down{at, at + length})
		at += length + span(r, 2*s.flapLen) + 1
	}
	h.end = at + time.Duration(s.tail)*s.period + 3*s.timeout
	for range r.IntN(s.gaps + 1) {
		from := span(r, h.end)
		h.gaps = append(h.gaps, Gap{From: from, Until: from + span(r, 6*s.period) + 1})
	}
	h.watch(r)
	return h
}

// watch lets the observer look from the beginning to the end.
func (h *history) watch(r *rand.Rand) {
	s := h.setting
	for k := 0; time.Duration(k)*s.period < h.end; k++ {
		if p, ok := h.probe(r, k); ok {
			h.probes = append(h.probes, p)
		}
	}
	for _, p := range h.probes {
		h.end = max(h.end, p.End)
	}
}

// simulateSeveral makes several services that one observer watches: its gaps are the same for all. Some never fail.
func simulateSeveral(r *rand.Rand, s setting, n int) []history {
	all := []history{simulate(r, s)}
	for len(all) < n {
		h := simulate(r, s)
		if r.IntN(4) == 0 {
			h.downs = nil
		}
		shift := span(r, 8*s.flapLen+1)
		for i := range h.downs {
			h.downs[i].from += shift
			h.downs[i].until += shift
		}
		h.gaps, h.end = all[0].gaps, max(all[0].end, h.end+shift)
		all = append(all, h)
	}
	for i := range all {
		for _, h := range all {
			all[i].end = max(all[i].end, h.end)
		}
		all[i].probes = nil
		all[i].watch(r)
	}
	return all
}

func (h *history) probe(r *rand.Rand, k int) (probed, bool) {
	s := h.setting
	p := probed{planned: time.Duration(k) * s.period}
	p.Seq = k
	p.Start = p.planned + span(r, 2*s.jitter+1) - s.jitter
	p.met = p.Start + span(r, s.timeout+1)
	p.End = p.met + span(r, p.Start+s.timeout-p.met+1)
	p.Outcome = OK
	if h.isDown(p.met) {
		p.Outcome = Fail
		if r.Float64() >= s.refuse {
			p.End = p.Start + s.timeout
		}
	}
	if r.Float64() < s.void {
		p.Outcome = Void
	}
	for _, g := range h.gaps {
		switch {
		case g.From < p.Start && p.Start < g.Until:
			return p, false // nobody looked
		case g.From < p.End && p.Start < g.Until && r.IntN(2) == 0:
			p.Outcome = Fail // the observer's own doing
			p.met = -1
		}
	}
	return p, true
}

func (h *history) isDown(t time.Duration) bool {
	_, ok := h.component(t)
	return ok
}

func (h *history) component(t time.Duration) (down, bool) {
	for _, d := range h.downs {
		if d.from <= t && t < d.until {
			return d, true
		}
	}
	return down{}, false
}

// samples are what the observer has, in a random order when r is given.
func (h *history) samples(r *rand.Rand) []Sample {
	out := make([]Sample, len(h.probes))
	for i, p := range h.probes {
		out[i] = p.Sample
	}
	if r != nil {
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// inDoubt says that the observer itself may have failed the probe.
func (h *history) inDoubt(p probed) bool {
	return slices.ContainsFunc(h.gaps, func(g Gap) bool { return g.From < p.End && p.Start < g.Until })
}

// failing returns the probes that failed and ended by `until`: certain ones, or all that truly met a failure.
func (h *history) failing(until time.Duration, certain bool) []probed {
	var out []probed
	for _, p := range h.probes {
		if p.Outcome == Fail && p.End <= until && p.met >= 0 && (!certain || !h.inDoubt(p)) {
			out = append(out, p)
		}
	}
	return out
}

// truth is the true outage that these failing probes belong to: from the start of the failure met first to the end of the one met last.
func (h *history) truth(failing []probed) (outage down, components int) {
	earlier := func(a, b probed) int { return int(a.met - b.met) }
	first, _ := h.component(slices.MinFunc(failing, earlier).met)
	last, _ := h.component(slices.MaxFunc(failing, earlier).met)
	for _, d := range h.downs {
		if d.from >= first.from && d.until <= last.until {
			components++
		}
	}
	return down{first.from, last.until}, components
}

func span(r *rand.Rand, n time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(n)))
}
