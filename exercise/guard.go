package exercise

import (
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/playbook"
)

// Clearance is what the guard looks at before an exercise may begin.
type Clearance struct {
	Plan Plan
	// Blockers are what lint says makes an exercise unsafe or unmeasurable.
	Blockers []string
	// Doctor is nil when the doctor has not looked.
	Doctor *doctor.Report
	// Held are the faults that are still held here, Running the exercise that is going on in this environment.
	Held    []string
	Running string
	// Window is false when the environment names hours and it is not within them. Freeze names a freeze that is on.
	Window bool
	Freeze string
	// Approvals are the people other than the runner who have signed this plan, and Needed how many must.
	Approvals []string
	Needed    int
	// Identity says in what we are elsewhere than the plan says. Foreign lists what of production a plan would hit that is not for it.
	Identity string
	Foreign  []string
	Now      time.Time
}

// Refusal is one reason why an exercise may not begin.
type Refusal struct {
	// Rule is short and never changes, for example "lint".
	Rule string `json:"rule"`
	Why  string `json:"why"`
}

// Refused is the error of a guard that refuses.
type Refused struct {
	Refusals []Refusal
}

// Error lists the reasons in one line.
func (r *Refused) Error() string {
	var whys []string
	for _, one := range r.Refusals {
		whys = append(whys, one.Why)
	}
	return "the exercise is refused: " + strings.Join(whys, "; ")
}

// Guard gives the permit for a fault, or every reason why not. It looks at everything, so that one run shows all that is missing.
func Guard(c Clearance) (fault.Permit, []Refusal) {
	var out []Refusal
	refuse := func(rule, format string, args ...any) {
		out = append(out, Refusal{rule, fmt.Sprintf(format, args...)})
	}
	p := c.Plan
	for _, b := range c.Blockers {
		refuse("lint", "lint blocks: %s", b)
	}
	if c.Doctor != nil && c.Doctor.Verdict == doctor.Blocked {
		for _, f := range c.Doctor.Findings {
			if f.Severity == doctor.Blocker {
				refuse("doctor", "the doctor blocks: %s: expected %s, saw %s", f.ID, f.Expected, f.Seen)
			}
		}
	}
	if len(p.Covers) == 0 {
		refuse("covers", "the scenario covers no service")
	}
	if len(p.Primaries()) == 0 {
		refuse("probe", "no covered service has a probe, so nothing could be measured")
	}
	if p.Fault == nil {
		refuse("fault", "the scenario names no fault, so nothing would be exercised")
	}
	if len(p.Nodes) == 0 {
		refuse("recovery", "the scenario has no steps")
	}
	c.mode(refuse)
	for _, h := range c.Held {
		refuse("held", "a fault is still held: %s", h)
	}
	if c.Running != "" {
		refuse("lock", "exercise %s is going on in this environment", c.Running)
	}
	if !c.Window {
		refuse("window", "it is outside the environment's window for exercises")
	}
	if c.Freeze != "" {
		refuse("freeze", "there is a freeze: %s", c.Freeze)
	}
	if c.Identity != "" {
		refuse("identity", "%s", c.Identity)
	}
	if p.Production && len(p.Identity) == 0 {
		refuse("identity", "the environment pins no identity, so nobody knows whose production this is")
	}
	for _, f := range c.Foreign {
		refuse("production", "%s is not production, but %s", p.Environment, f)
	}
	c.approvals(refuse)
	if len(out) > 0 {
		return fault.Permit{}, out
	}
	return fault.Permit{
		Exercise: p.ID, Environment: p.Environment, Production: p.Production, Plan: p.Digest(),
		Expires: c.Now.Add(p.TimeBox + time.Hour),
	}, nil
}

// mode refuses what cannot be carried out in the mode.
func (c Clearance) mode(refuse func(rule, format string, args ...any)) {
	switch c.Plan.Mode {
	case Guided, Assisted:
	case Automatic:
		if people := c.Plan.ByPeople(); len(people) > 0 {
			refuse("mode", "automatic mode has no person, and these steps need one in this environment: %s", strings.Join(people, ", "))
		}
	case Tabletop:
		refuse("mode", "tabletop exercises are not there yet")
	default:
		refuse("mode", "there is no mode %q (there are: guided, assisted, automatic)", c.Plan.Mode)
	}
}

// approvals refuses production without the approvals it needs: always at least one, by somebody other than the runner.
func (c Clearance) approvals(refuse func(rule, format string, args ...any)) {
	needed := c.Needed
	if c.Plan.Production {
		needed = max(needed, 1)
	}
	others := 0
	for _, name := range c.Approvals {
		if name != c.Plan.Runner {
			others++
		}
	}
	if others < needed {
		refuse("approvals", "%d of %d approvals by people other than the runner", others, needed)
	}
}

// FreezeAt names the freeze of the environment that is on at the time, or nothing. A freeze whose dates cannot be read counts as on.
func FreezeAt(env playbook.Environment, now time.Time) string {
	for _, f := range env.Freeze {
		from, err := freezeTime(f.From, false)
		until, err2 := freezeTime(f.Until, true)
		if err != nil || err2 != nil || (!now.Before(from) && now.Before(until)) {
			return strings.TrimSpace(f.From + " to " + f.Until + " " + f.Why)
		}
	}
	return ""
}

func freezeTime(s string, end bool) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err == nil && end {
		t = t.AddDate(0, 0, 1)
	}
	return t, err
}
