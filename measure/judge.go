package measure

import "time"

// Judge says whether bounds meet an objective: met when even the upper bound does, missed when not even the lower
// bound does, undecided otherwise. Censored bounds can only miss or be undecided.
func Judge(b Bounds, objective time.Duration) Verdict {
	switch {
	case b.Lower > objective:
		return Missed
	case !b.Censored && b.Upper <= objective:
		return Met
	}
	return Undecided
}

// TooCoarse says that a pace can hardly decide an objective: a period and a timeout are more than a tenth of it.
func TooCoarse(p Pace, objective time.Duration) bool {
	return p.Period+p.Timeout > objective/10
}
