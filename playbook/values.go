package playbook

import "github.com/belay-dr/belay/internal/calendar"

// Criticality says when the application cannot do without a service. In YAML: always, never, unknown, or
// {period: "02:00-03:00", days: daily, zone: America/Los_Angeles}.
type Criticality struct {
	// Level is Always, Never, Unknown or During. It is empty for a service that another team owns and that says nothing.
	Level CriticalityLevel `yaml:"-" json:"level"`
	// Period is set when Level is During.
	Period *Hours `yaml:"-" json:"period,omitempty"`
}

// CriticalityLevel is the kind of criticality.
type CriticalityLevel string

// The levels of criticality.
const (
	Always  CriticalityLevel = "always"
	Never   CriticalityLevel = "never"
	Unknown CriticalityLevel = "unknown"
	During  CriticalityLevel = "during"
)

// Hours is a weekly calendar, for example "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 America/Los_Angeles", or
// "on-call" for always.
type Hours = calendar.Hours
