package measure

import (
	"cmp"
	"slices"
	"time"
)

// Ratio is how many of the conclusive probes that started in [From, Until) were answered well.
type Ratio struct {
	From  time.Duration `json:"from_ns"`
	Until time.Duration `json:"until_ns"`
	OK    int           `json:"ok"`
	Total int           `json:"total"`
}

// Share is OK over Total, between 0 and 1; 1 when nobody asked.
func (r Ratio) Share() float64 {
	if r.Total == 0 {
		return 1
	}
	return float64(r.OK) / float64(r.Total)
}

// Ratios slides a window of the given width over the samples, step by step, for partial outages. Windows begin at the
// first start and are whole: a last one that the samples do not fill is left out. Void samples do not count.
func Ratios(samples []Sample, width, step time.Duration) []Ratio {
	if len(samples) == 0 || width <= 0 || step <= 0 {
		return nil
	}
	byStart := slices.Clone(samples)
	slices.SortFunc(byStart, func(a, b Sample) int { return cmp.Compare(a.Start, b.Start) })
	last := byStart[len(byStart)-1].Start
	var ratios []Ratio
	var head, tail int // byStart[tail:head] started in the window
	window := Ratio{}
	for at := byStart[0].Start; at+width <= last; at += step {
		for ; head < len(byStart) && byStart[head].Start < at+width; head++ {
			window.count(byStart[head], 1)
		}
		for ; tail < head && byStart[tail].Start < at; tail++ {
			window.count(byStart[tail], -1)
		}
		window.From, window.Until = at, at+width
		ratios = append(ratios, window)
	}
	return ratios
}

func (r *Ratio) count(s Sample, by int) {
	if s.Outcome == Void {
		return
	}
	r.Total += by
	if s.Outcome == OK {
		r.OK += by
	}
}
