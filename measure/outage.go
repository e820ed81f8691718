package measure

import "time"

// OutageReport is what the samples say about one outage. Instants and durations are as in Sample.
type OutageReport struct {
	// Happened says that at least one probe failed. When false, only Resolution and the counts mean anything:
	// no failure longer than Resolution was missed. It never means that there was no failure at all.
	Happened bool `json:"happened"`
	// Bounds of the outage, from the start of the first failure to the end of the last one before the service was
	// stable. Censored when it was not stable at the end, or when no good answer came before the first failure.
	Bounds Bounds `json:"bounds"`
	// Start is when the first failure began, Stop is when the last one ended. Stop is zero while it goes on.
	Start Interval `json:"start"`
	Stop  Interval `json:"stop"`
	// StartSeen is false when there was no good answer before the first failure: Start.After means nothing then.
	StartSeen bool `json:"start_seen"`
	// Ongoing says that the service was not stable at the end.
	Ongoing bool `json:"ongoing"`

	// FirstFail and LastFail are the starts of the first and the last failing probe.
	FirstFail time.Duration `json:"first_fail_ns"`
	LastFail  time.Duration `json:"last_fail_ns"`
	// FirstOK is the start of the first probe of the sustained window; Stable is where that window ends.
	// Both are nil while the outage goes on.
	FirstOK *time.Duration `json:"first_ok_ns"`
	Stable  *time.Duration `json:"stable_ns"`

	// Flaps is how often the service was seen to go down again before it was stable.
	Flaps int `json:"flaps"`
	// Failing is the sum of the failing stretches, each from the start of its first failing probe to the start of the
	// good one that ended it. It has no bounds: compare it with Bounds, never with an objective.
	Failing time.Duration `json:"failing_ns"`
	// Span is the time from FirstFail to LastFail.
	Span time.Duration `json:"span_ns"`
	// Relapses counts probes that failed after the service had been stable. They belong to another outage: see Outages.
	Relapses int `json:"relapses"`

	// Resolution is the longest time in which a failure could have gone unseen.
	Resolution time.Duration `json:"resolution_ns"`
	// Gaps are the spans without a conclusive probe that touch Start or Stop and so widened the bounds.
	Gaps []Gap `json:"gaps,omitempty"`

	// OKs, Fails and Voids count the samples.
	OKs   int `json:"oks"`
	Fails int `json:"fails"`
	Voids int `json:"voids"`

	episodeFails int
	stretches    []Gap // the failing stretches that Failing adds up
}

// Outage says what the samples show up to end: the first outage that ended in a sustained window, or one that goes on.
// Every sample that was started must be in it (drain first). Order does not matter.
func Outage(samples []Sample, gaps []Gap, pace Pace, end time.Duration) OutageReport {
	return OutageSince(samples, gaps, pace, minInstant, end)
}

// OutageSince is Outage for failures that ended after from. Earlier ones (an unhealthy baseline) are the caller's
// business; earlier good answers still count.
func OutageSince(samples []Sample, gaps []Gap, pace Pace, from, end time.Duration) OutageReport {
	all := Outages(samples, gaps, pace, from, end)
	report := all[0]
	for _, later := range all[1:] {
		report.Relapses += later.episodeFails
	}
	return report
}

// Outages returns every outage in order; when there was none, one report that says so.
func Outages(samples []Sample, gaps []Gap, pace Pace, from, end time.Duration) []OutageReport {
	w := sweep{pace: pace, from: from, gaps: gaps, state: StateUp, now: minInstant}
	sorted := inEndOrder(samples)
	for _, s := range sorted {
		w.feed(s)
	}
	w.close(Sample{}, minInstant) // everything has ended: nothing is left to wait for
	look := newLook(sorted, gaps, pace, from, end)
	var reports []OutageReport
	for i := range w.done {
		reports = append(reports, look.report(&w.done[i], true))
	}
	if w.open.fails > 0 {
		reports = append(reports, look.report(&w.open, false))
	}
	if len(reports) == 0 {
		reports = append(reports, look.base)
	}
	return reports
}

// minInstant is before every instant.
const minInstant = time.Duration(-1 << 61)
