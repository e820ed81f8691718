package exercise

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// View is what terminal, pages and reports show of an exercise at one moment.
type View struct {
	ID          string `json:"id"`
	Scenario    string `json:"scenario"`
	Title       string `json:"title"`
	Environment string `json:"environment"`
	Mode        Mode   `json:"mode"`
	Phase       Phase  `json:"phase"`
	Marks       []Mark `json:"marks"`
	// Elapsed is the time since the service was first seen to fail; Down says that it was. It stands still once the
	// service is stable.
	Elapsed time.Duration `json:"elapsed_ns"`
	Down    bool          `json:"down"`
	Now     time.Duration `json:"now_ns"`
	RTO     time.Duration `json:"rto_ns"`
	Targets []Target      `json:"targets"`
	Edges   []Edge        `json:"edges"`
	// Current is the step being carried out, Question what a person is asked; nil when there is none.
	Current  *Doing `json:"current,omitempty"`
	Question *Doing `json:"question,omitempty"`
	// Next says in one line what happens next.
	Next string `json:"next"`
	// Last are the latest happenings, oldest first.
	Last  []string     `json:"last,omitempty"`
	Steps []StepResult `json:"steps"`
	Fault FaultSeen    `json:"fault"`
}

// Doing is a step as a person must see it: its exact text, who does it, what is expected.
type Doing struct {
	Command string        `json:"command"`
	Kind    CommandKind   `json:"kind"`
	Step    string        `json:"step,omitempty"`
	Node    NodeKind      `json:"node,omitempty"`
	Text    string        `json:"text"`
	Note    string        `json:"note,omitempty"`
	Example string        `json:"example,omitempty"`
	Argv    []string      `json:"argv,omitempty"`
	Shell   string        `json:"shell,omitempty"`
	Where   string        `json:"where,omitempty"`
	By      string        `json:"by,omitempty"`
	Expect  *Check        `json:"expect,omitempty"`
	Options []Option      `json:"options,omitempty"`
	Hint    string        `json:"hint,omitempty"`
	Why     string        `json:"why,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Capture []string      `json:"capture,omitempty"`
	Since   time.Duration `json:"since_ns"`
	Number  int           `json:"number,omitempty"`
	Of      int           `json:"of,omitempty"`
}

// Show makes the view of a state at the time now.
func Show(s State, now time.Duration) View {
	now = max(now, s.Now)
	v := View{
		ID: s.Plan.ID, Scenario: s.Plan.Scenario, Title: s.Plan.Title, Environment: s.Plan.Environment, Mode: s.Plan.Mode,
		Phase: s.Phase, Marks: s.Marks, Now: now, RTO: s.Plan.RTO, Targets: s.Targets, Edges: s.Edges,
		Steps: s.stepResults(), Fault: s.faultSeen(),
	}
	v.Elapsed, v.Down = s.elapsed(now)
	for _, o := range s.Open {
		d := s.doing(o)
		switch o.Command.Kind {
		case DoAsk, DoSettle:
			v.Current, v.Question = d, d
		case DoDeclare:
			if s.Plan.Mode != Automatic {
				v.Question = d
			}
		case DoRun, DoExpect, DoIf, DoDecide:
			v.Current = d
		}
	}
	v.Next = s.next(v)
	v.Last = s.last()
	return v
}

// elapsed is the time since the first failure after the fault.
func (s *State) elapsed(now time.Duration) (time.Duration, bool) {
	if !s.Fault.Asked {
		return 0, false
	}
	for _, e := range s.Edges {
		if e.Kind != Down {
			continue
		}
		if end, ok := s.since(Stable); ok {
			now = end
		} else if end, ok := s.since(Closed); ok {
			now = end
		}
		return max(0, now-e.At), true
	}
	return 0, false
}

func (s *State) doing(o Open) *Doing {
	c := o.Command
	d := &Doing{Command: c.ID, Kind: c.Kind, Hint: c.Hint, Attempt: c.Attempt, Since: o.At, By: s.Plan.Lead}
	if c.Step == nil {
		d.Text = fmt.Sprintf("Declare the disaster: %s. Begin the recovery?", s.Plan.Title)
		return d
	}
	n := c.Step
	d.Step, d.Node, d.Text, d.Note, d.Example, d.Argv, d.Shell, d.Where = n.ID, n.Kind, Readable(n.Text), n.Note, n.Example, n.Argv, n.Shell, n.Where
	d.Expect, d.Options = n.Expect, n.Options
	if n.By != "" {
		d.By = n.By
	}
	for _, capture := range n.Captures {
		d.Capture = append(d.Capture, capture.Name)
	}
	for i, other := range s.Plan.Nodes {
		if other.Procedure == n.Procedure {
			d.Of++
		}
		if other.ID == n.ID {
			d.Number, d.Why = d.Of, s.Steps[i].Why
		}
	}
	return d
}

// next says in one line what happens next.
func (s *State) next(v View) string {
	switch {
	case s.Closed():
		return "the exercise is over"
	case v.Question != nil && v.Question.Kind == DoDeclare:
		return "say done to declare the disaster and begin the recovery"
	case v.Question != nil && v.Question.Node == NodeAsk:
		return "choose an option"
	case v.Question != nil:
		return "do the step, then say done or failed"
	case s.isOpenKind(DoRelease):
		return "the fault is being ended"
	case s.isOpenKind(DoMeasure):
		return "the numbers are being made"
	case s.Ending:
		return "the exercise is being ended safely"
	case v.Current != nil:
		return "step " + v.Current.Step + " is being carried out"
	case s.isOpenKind(DoInject):
		return "the fault is being injected"
	case s.Phase == Faulted:
		return "waiting until the failure is seen"
	case s.Phase == Cleared || s.Phase == Baseline:
		return "watching the steady state"
	case s.Phase == Testing || s.Phase == Resuming:
		return fmt.Sprintf("waiting until the service has answered for %s without a failure", s.Plan.Pace.Sustained())
	}
	return ""
}

func (s *State) isOpenKind(k CommandKind) bool { return (&machine{State: *s}).isOpen(k) }

// last lists the latest happenings with their times.
func (s *State) last() []string {
	const most = 6
	type line struct {
		at   time.Duration
		text string
	}
	var lines []line
	for _, m := range s.Marks {
		lines = append(lines, line{m.At, string(m.Phase)})
	}
	for _, e := range s.Edges {
		lines = append(lines, line{e.At, e.Target + " " + string(e.Kind)})
	}
	for _, r := range s.Notes {
		lines = append(lines, line{r.At, "note: " + r.Text})
	}
	for _, r := range s.Deviations {
		lines = append(lines, line{r.At, "deviation: " + r.Text})
	}
	for i, st := range s.Steps {
		if st.Ended > 0 {
			lines = append(lines, line{st.Ended, "step " + s.Plan.Nodes[i].ID + " " + st.State})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	var out []string
	for _, l := range lines[max(0, len(lines)-most):] {
		out = append(out, fmt.Sprintf("%8.1fs  %s", l.at.Seconds(), l.text))
	}
	return out
}
