package measure

import "time"

// EdgeKind is a change that a Tracker saw.
type EdgeKind string

// The edges, as they come.
const (
	EdgeDown   EdgeKind = "down"   // the first failure
	EdgeUp     EdgeKind = "up"     // a good answer to a probe that started after every failure had ended
	EdgeFlap   EdgeKind = "flap"   // down again before it was stable
	EdgeStable EdgeKind = "stable" // the sustained window is confirmed
)

// Edge is one change.
type Edge struct {
	Kind EdgeKind `json:"kind"`
	// At is the instant the edge is about: the start of the probe that showed it, or the end of the window.
	At time.Duration `json:"at_ns"`
	// Seen is when it became known: the end of the sample that was fed.
	Seen time.Duration `json:"seen_ns"`
	// Sample is the sample that showed it.
	Sample Sample `json:"sample"`
}

// State is where a service is, as far as a Tracker knows.
type State string

// The states.
const (
	StateUp         State = "up"         // no failure seen
	StateDown       State = "down"       // the last word was a failure
	StateRecovering State = "recovering" // it answers again, the window is not over
	StateStable     State = "stable"     // it answered for the whole window
)

// Tracker follows one probe live. Feed it samples as they end. Fed in the order of their ends it sees the same flaps and the same
// sustained window as Outage; what it reports in the end is what Outage says of the same samples in any order.
// It is not safe for concurrent use.
type Tracker struct {
	sweep   sweep
	samples []Sample
}

// NewTracker follows failures that end after from.
func NewTracker(pace Pace, from time.Duration) *Tracker {
	return &Tracker{sweep: sweep{pace: pace, from: from, state: StateUp, now: minInstant}}
}

// Feed takes the next sample and returns the edges it shows.
func (t *Tracker) Feed(s Sample) []Edge {
	t.samples = append(t.samples, s)
	return t.sweep.feed(s)
}

// Gap takes a span in which the observer did not look. Samples fed later that overlap it and failed are in doubt.
func (t *Tracker) Gap(g Gap) { t.sweep.gaps = append(t.sweep.gaps, g) }

// State is where the service is.
func (t *Tracker) State() State { return t.sweep.state }

// Report is OutageSince over everything fed so far.
func (t *Tracker) Report(end time.Duration) OutageReport {
	return OutageSince(t.samples, t.sweep.gaps, t.sweep.pace, t.sweep.from, end)
}
