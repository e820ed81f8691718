package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Stretch is a span of real time, From inclusive, Until exclusive.
type Stretch struct {
	From  time.Time
	Until time.Time
}

// Length is how long the stretch lasts on a clock that nobody sets.
func (s Stretch) Length() time.Duration { return s.Until.Sub(s.From) }

// changes returns, in order and without repeats, every instant in (from, until) at which the hours may open or close.
// It walks the stretches in which the zone's offset does not change, so that an hour that happens twice, or not at
// all, is counted as the clocks on the wall show it.
func (h Hours) changes(loc *time.Location, from, until time.Time) []time.Time {
	var minutes []int
	for _, s := range h.Spans {
		minutes = append(minutes, s.From, s.Until)
	}
	var at []time.Time
	for begin := from; begin.Before(until); {
		local := begin.In(loc)
		_, end := local.ZoneBounds()
		if end.IsZero() || end.After(until) {
			end = until
		}
		_, offset := local.Zone()
		fixed := time.FixedZone("", offset)
		day := begin.In(fixed)
		midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, fixed)
		for ; midnight.Before(end); midnight = midnight.AddDate(0, 0, 1) {
			for _, m := range minutes {
				if t := midnight.Add(time.Duration(m) * time.Minute); t.After(begin) && t.Before(end) {
					at = append(at, t)
				}
			}
		}
		if end.Before(until) {
			at = append(at, end)
		}
		begin = end
	}
	slices.SortFunc(at, time.Time.Compare)
	return slices.CompactFunc(at, time.Time.Equal)
}

// Uncovered returns the stretches of the week that begins at midnight of weekStart's date in the zone, in which none
// of the hours is open. No hours at all leave the whole week uncovered.
func Uncovered(hours []Hours, zone string, weekStart time.Time) ([]Stretch, error) {
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	day := weekStart.In(loc)
	begin := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, loc)
	end := begin.AddDate(0, 0, 7)

	at := []time.Time{begin}
	zones := make([]*time.Location, len(hours))
	for i, h := range hours {
		if zones[i], err = h.Location(); err != nil {
			return nil, err
		}
		at = append(at, h.changes(zones[i], begin, end)...)
	}
	slices.SortFunc(at, time.Time.Compare)
	at = append(slices.CompactFunc(at, time.Time.Equal), end)

	var gaps []Stretch
	for i := 0; i+1 < len(at); i++ {
		if anyOpen(hours, zones, at[i]) {
			continue
		}
		if n := len(gaps); n > 0 && gaps[n-1].Until.Equal(at[i]) {
			gaps[n-1].Until = at[i+1].In(loc)
			continue
		}
		gaps = append(gaps, Stretch{From: at[i].In(loc), Until: at[i+1].In(loc)})
	}
	return gaps, nil
}

func anyOpen(hours []Hours, zones []*time.Location, t time.Time) bool {
	for i, h := range hours {
		if h.openIn(t.In(zones[i])) {
			return true
		}
	}
	return false
}

// Total adds up the lengths.
func Total(stretches []Stretch) time.Duration {
	var sum time.Duration
	for _, s := range stretches {
		sum += s.Length()
	}
	return sum
}

// Wording says in words which hours of a week the stretches are, days with equal hours together:
// "Mon-Thu 17:00-09:00, Fri 17:00 to Sat 10:00". The last stretch of the week and the first are one
// when they meet at its border. Nothing is "never", the whole week is "at any time".
func Wording(stretches []Stretch) string {
	if len(stretches) == 0 {
		return "never"
	}
	if len(stretches) == 1 && stretches[0].Until.Equal(stretches[0].From.AddDate(0, 0, 7)) {
		return "at any time"
	}
	type group struct {
		clock string
		days  []time.Weekday
	}
	var groups []group
	var long []string
	for _, s := range joinBorder(stretches) {
		from, until := s.From.Format("15:04"), s.Until.Format("15:04")
		sameDay := until != "00:00" && s.From.YearDay() == s.Until.YearDay()
		nextDay := s.From.AddDate(0, 0, 1).YearDay() == s.Until.YearDay() && until <= from
		if until == "00:00" {
			until = "24:00"
		}
		if !sameDay && !nextDay {
			long = append(long, fmt.Sprintf("%s to %s", s.From.Format("Mon 15:04"), s.Until.Format("Mon 15:04")))
			continue
		}
		clock := from + "-" + until
		i := slices.IndexFunc(groups, func(g group) bool { return g.clock == clock })
		if i < 0 {
			groups = append(groups, group{clock: clock})
			i = len(groups) - 1
		}
		if !slices.Contains(groups[i].days, s.From.Weekday()) {
			groups[i].days = append(groups[i].days, s.From.Weekday())
		}
	}
	var words []string
	for _, g := range groups {
		words = append(words, daysText(g.days)+" "+g.clock)
	}
	return strings.Join(append(words, long...), ", ")
}

// joinBorder makes one stretch of the last and the first of a week that goes round.
func joinBorder(stretches []Stretch) []Stretch {
	n := len(stretches)
	first, last := stretches[0], stretches[n-1]
	if n < 2 || !last.Until.Equal(first.From.AddDate(0, 0, 7)) {
		return stretches
	}
	joined := slices.Clone(stretches[1:])
	joined[len(joined)-1].Until = first.Until.AddDate(0, 0, 7)
	return joined
}
