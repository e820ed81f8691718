package measure

import (
	"cmp"
	"slices"
	"time"
)

// Average is one point of a series of averages of a check that reports 1 when it works and 0 when it does not: the
// mean over the span that begins at At.
type Average struct {
	At   time.Duration `json:"at_ns"`
	Mean float64       `json:"mean"`
}

// FromAverages bounds an outage from averages alone, in any order, each over the given width. It lies between the first
// average below 1 and the last before good ones only. It is coarse: the start and the end are each somewhere in a whole span.
// The result is false when every average is 1, and censored when the last one is not.
func FromAverages(averages []Average, width time.Duration) (start, stop Interval, outage Bounds, down bool) {
	sorted := slices.Clone(averages)
	slices.SortFunc(sorted, func(a, b Average) int { return cmp.Compare(a.At, b.At) })
	bad := func(a Average) bool { return a.Mean < 1 }
	first := slices.IndexFunc(sorted, bad)
	if first < 0 {
		return Interval{}, Interval{}, Bounds{}, false
	}
	last := len(sorted) - 1
	for !bad(sorted[last]) {
		last--
	}
	start = Interval{After: sorted[first].At, Until: sorted[first].At + width}
	stop = Interval{After: sorted[last].At, Until: sorted[last].At + width}
	outage = between(start, stop)
	if first == 0 || last == len(sorted)-1 {
		outage = Bounds{Lower: outage.Lower, Censored: true}
	}
	return start, stop, outage, true
}
