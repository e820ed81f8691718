package exercise

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/playbook"
)

// NothingSent is said wherever notices are shown.
const NothingSent = "Belay lists these messages and sends none of them: a person must."

// notices plans who is to be told: the notifications whose condition holds for the scenario's severity.
func (c *compiler) notices(sc *playbook.Scenario) error {
	for i, n := range c.pb.Notifications {
		when, err := playbook.ParseCondition(n.When)
		if err != nil {
			return fmt.Errorf("notification %d: %w", i+1, err)
		}
		if !c.pb.Holds(when, sc.Severity) {
			continue
		}
		text, err := c.text(n.What)
		if err != nil {
			return fmt.Errorf("notification %d: %w", i+1, err)
		}
		c.plan.Notices = append(c.plan.Notices, Notice{
			When: n.When, Who: slices.Clone(n.Who), How: slices.Clone(n.How), Within: n.Within.D(), Why: n.Why, Text: text,
		})
	}
	return nil
}

// notices are those of the plan with what is known now filled in. What is not known yet stays a placeholder.
func (s *State) notices() []Notice {
	out := slices.Clone(s.Plan.Notices)
	for i := range out {
		known := &filler{lookup: func(name string) (string, bool) {
			if _, failed := s.failed(); name == "since" && failed {
				return s.began().Format(time.RFC3339), true
			}
			return mark(name), true
		}}
		out[i].Text = Readable(known.text(out[i].Text))
	}
	return out
}

// String says in one line who is to be told what: "tell bob, alice by slack, email within 15m0s: the API has failed".
func (n Notice) String() string {
	text := "tell " + strings.Join(n.Who, ", ")
	if len(n.How) > 0 {
		text += " by " + strings.Join(n.How, ", ")
	}
	if n.Within > 0 {
		text += " within " + playbook.Duration(n.Within).String()
	}
	if n.Why != "" {
		text += " (" + n.Why + ")"
	}
	if n.Text != "" {
		text += ": " + n.Text
	}
	return text
}
