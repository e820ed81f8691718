package playbook

import "time"

// DefaultStepTimeout bounds a step that names no timeout.
const DefaultStepTimeout = Duration(10 * time.Minute)

// MinorSeverity and its two neighbours are the levels of DefaultSeverities.
const (
	CriticalSeverity = "critical"
	MajorSeverity    = "major"
	MinorSeverity    = "minor"
)

// DefaultSeverities is the scale of a playbook that states none, worst first. The recovery times are the longest that
// fit the level: a scenario called critical that may last two days is a contradiction, which lint names.
func DefaultSeverities() Table[Severity] {
	return Table[Severity]{
		{ID: CriticalSeverity, Value: Severity{Means: "Users cannot use the application, or lose data", RTO: Duration(24 * time.Hour)}},
		{ID: MajorSeverity, Value: Severity{Means: "An important function is missing or very slow for many users", RTO: Duration(72 * time.Hour)}},
		{ID: MinorSeverity, Value: Severity{Means: "The application works, with less comfort or for fewer users"}},
	}
}

// DefaultPace is how often and how patiently the observer asks when an environment says nothing else.
func DefaultPace() Pace {
	return Pace{
		Period:   Duration(time.Second),
		Timeout:  Duration(2 * time.Second),
		Window:   Duration(5 * time.Second),
		Baseline: Duration(10 * time.Second),
		TimeBox:  Duration(4 * time.Hour),
	}
}

// OrDefault fills the fields that are zero from DefaultPace. A window that is not stated grows with the period and the
// timeout: it is at least Timeout + 2 x Period, so that a service which answers every other time is never called stable.
func (p Pace) OrDefault() Pace {
	d := DefaultPace()
	fill := func(field *Duration, value Duration) {
		if *field == 0 {
			*field = value
		}
	}
	fill(&p.Period, d.Period)
	fill(&p.Timeout, d.Timeout)
	fill(&p.Window, max(d.Window, p.leastWindow()))
	fill(&p.Baseline, d.Baseline)
	fill(&p.TimeBox, d.TimeBox)
	return p
}

// leastWindow is the shortest window that proves stability at this pace.
func (p Pace) leastWindow() Duration { return p.Timeout + 2*p.Period }

// Scale is the stated severity scale, or DefaultSeverities when none is stated, worst first.
func (pb *Playbook) Scale() Table[Severity] {
	if len(pb.Severities) > 0 {
		return pb.Severities
	}
	return DefaultSeverities()
}

// Rank is the place of a severity on the scale: 0 is the worst. It is -1 for an unknown one.
func (pb *Playbook) Rank(severity string) int {
	for i, row := range pb.Scale() {
		if row.ID == severity {
			return i
		}
	}
	return -1
}

// Signers are the roles that must agree: the stated ones, or all four.
func (a Agreement) Signers() []Role {
	if len(a.Roles) > 0 {
		return a.Roles
	}
	return Roles()
}
