package measure

import "time"

// Steadiness is what is known of a target's steady state.
type Steadiness struct {
	// Probes counts the conclusive probes, Failed those of them that failed. Reason is that of the latest failure.
	Probes int    `json:"probes"`
	Failed int    `json:"failed"`
	Reason string `json:"reason,omitempty"`
	// For is how long it has now answered without a failure and without a hole: from the start of the first good probe of the
	// stretch to the end of the latest. Zero when the latest word is not a good one.
	For time.Duration `json:"for_ns"`
}

// SteadyFor looks at the samples taken so far, at the instant now. A failing probe begins a new stretch, which only probes count for
// that started after it had ended. So does a hole in which nobody looked.
func SteadyFor(samples []Sample, gaps []Gap, pace Pace, now time.Duration) Steadiness {
	var s Steadiness
	var since, last, failed time.Duration // of the stretch: its start, its latest start; the latest end of a failure
	var until time.Duration
	in := false
	for _, sample := range inEndOrder(samples) {
		switch sample.Outcome {
		case Fail:
			s.Probes++
			s.Failed++
			s.Reason = sample.Reason
			failed, in = max(failed, sample.End), false
		case OK:
			s.Probes++
			if sample.Start < failed {
				continue
			}
			hole := in && (sample.Start-last > pace.Grace() || overlapsAny(gaps, last, sample.Start))
			if !in || hole {
				since, last, in = sample.Start, sample.Start, true
			}
			since, last, until = min(since, sample.Start), max(last, sample.Start), sample.End
		}
	}
	if in && now-last <= pace.Grace()+pace.Timeout && !overlapsAny(gaps, last, now) {
		s.For = until - since
	}
	return s
}
