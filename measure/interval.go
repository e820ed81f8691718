package measure

import "time"

// Interval holds one instant whose exact place is not known: it lies after After and not after Until.
type Interval struct {
	After time.Duration `json:"after_ns"`
	Until time.Duration `json:"until_ns"`
}

// Width is how much is not known.
func (i Interval) Width() time.Duration { return i.Until - i.After }

// To is the time from the instant to a later one that is known exactly, for example from the start of an outage to
// an alarm. It is never negative.
func (i Interval) To(at time.Duration) Bounds {
	return Bounds{Lower: max(0, at-i.Until), Upper: max(0, at-i.After)}
}

// between bounds the time from one uncertain instant to another.
func between(from, to Interval) Bounds {
	return Bounds{Lower: max(0, to.After-from.Until), Upper: max(0, to.Until-from.After)}
}

// Grace is the longest time between the starts of two conclusive probes that still counts as looking all the
// time: two periods and a timeout. Anything longer is a gap, whether or not somebody reported one.
func (p Pace) Grace() time.Duration { return 2*p.Period + p.Timeout }

// Sustained is how long a service must answer without a failure to count as stable: Window, but never less than
// a timeout and two periods, because a shorter window could end while a failing probe is still waiting.
func (p Pace) Sustained() time.Duration { return max(p.Window, p.Timeout+2*p.Period) }
