// Package calendar does arithmetic on weekly hours: when somebody can be reached, when exercises may run.
package calendar

import "time"

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
