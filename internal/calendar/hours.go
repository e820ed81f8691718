// Package calendar does arithmetic on weekly hours: when somebody can be reached, when exercises may run.
//
// It never reads a clock; every function takes the time it is asked about. Hours are wall-clock hours of their own
// zone, so a night shift is as long as the clocks make it when they change. Start reading at Hours, then Parse.
package calendar

import (
	"fmt"
	"time"
	_ "time/tzdata" // Zones must be known on a machine without /usr/share/zoneinfo. Its init only stores a function.
)

// Hours is a weekly calendar, for example "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 America/Los_Angeles", or
// "on-call" for always. A span may wrap past midnight (22:00-06:00). Without a zone it is in UTC.
type Hours struct {
	// Text is as written.
	Text string `json:"text"`
	// OnCall means at any time.
	OnCall bool   `json:"on_call,omitempty"`
	Spans  []Span `json:"spans,omitempty"`
	// Zone is an IANA name; empty means UTC.
	Zone string `json:"zone,omitempty"`
}

// Span is one stretch of a day, on each of Days.
type Span struct {
	// Days are the days on which it begins.
	Days []time.Weekday `json:"days"`
	// From and Until are minutes after midnight; Until may be 1440, and is at most From when the span wraps.
	From  int `json:"from"`
	Until int `json:"until"`
}

// Wraps says whether the span ends on the day after the one it begins on.
func (s Span) Wraps() bool { return s.Until <= s.From }

// on says whether the span begins on the day.
func (s Span) on(day time.Weekday) bool {
	for _, d := range s.Days {
		if d == day {
			return true
		}
	}
	return false
}

// contains says whether the wall clock is inside the span.
func (s Span) contains(day time.Weekday, minute int) bool {
	if !s.Wraps() {
		return s.on(day) && s.From <= minute && minute < s.Until
	}
	return s.on(day) && minute >= s.From || s.on(dayBefore(day)) && minute < s.Until
}

func dayBefore(d time.Weekday) time.Weekday { return (d + 6) % 7 }

// Location returns the zone of the hours.
func (h Hours) Location() (*time.Location, error) { return location(h.Zone) }

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	if zone == "Local" {
		return nil, fmt.Errorf("time zone Local is not the same on every machine")
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", zone)
	}
	return loc, nil
}

// Open says whether t is within the hours.
func (h Hours) Open(t time.Time) (bool, error) {
	loc, err := h.Location()
	if err != nil {
		return false, err
	}
	return h.openIn(t.In(loc)), nil
}

// openIn is Open for a time that is in the zone of the hours.
func (h Hours) openIn(local time.Time) bool {
	if h.OnCall {
		return true
	}
	minute := local.Hour()*60 + local.Minute()
	for _, s := range h.Spans {
		if s.contains(local.Weekday(), minute) {
			return true
		}
	}
	return false
}

// NextOpen returns the first instant at or after t that is within the hours. It is false when there is none within
// two weeks, which is so only for hours without spans.
func (h Hours) NextOpen(t time.Time) (time.Time, bool, error) {
	loc, err := h.Location()
	if err != nil {
		return time.Time{}, false, err
	}
	if h.openIn(t.In(loc)) {
		return t, true, nil
	}
	for _, at := range h.changes(loc, t, t.AddDate(0, 0, 15)) {
		if h.openIn(at.In(loc)) {
			return at, true, nil
		}
	}
	return time.Time{}, false, nil
}
