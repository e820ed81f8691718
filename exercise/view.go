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
	// Elapsed is the time since the service was first seen to fail after the fault; Down says that it was. It stands still at
	// the first good answer once the service is stable, and goes on if it fails again.
	Elapsed time.Duration `json:"elapsed_ns"`
	Down    bool          `json:"down"`
	// Failing says that a probe that decides fails now.
	Failing bool `json:"failing"`
	// Service says in words how the service stands.
	Service string        `json:"service"`
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
	Last []string `json:"last,omitempty"`
	// Notices are who is to be told when the disaster is declared. Belay sends nothing.
	Notices []Notice     `json:"notices,omitempty"`
	Steps   []StepResult `json:"steps"`
	Fault   FaultSeen    `json:"fault"`
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
		Steps: s.stepResults(), Fault: s.faultSeen(), Failing: s.down(), Notices: s.notices(),
	}
	v.Elapsed, v.Down = s.elapsed(now)
	v.Service = s.service()
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

// elapsed is how long the service has been down since the fault: from the first failure to the first good answer once all
// are stable, and on from there if one fails again. The stable stretches between do not count.
func (s *State) elapsed(now time.Duration) (time.Duration, bool) {
	if _, ok := s.failed(); !ok {
		return 0, false
	}
	if end, ok := s.since(Closed); ok {
		now = end
	}
	states := map[string]EventKind{}
	var sum, began, up time.Duration
	out := false
	for _, e := range s.Edges {
		if !s.primary(e.Target) || e.At < s.Fault.AskedAt {
			continue
		}
		states[e.Target] = e.Kind
		switch {
		case e.Kind == Down && !out:
			out, began = true, e.At
		case e.Kind == Up:
			up = e.At
		case e.Kind == Steady && out && allSteady(states):
			out = false
			sum += max(0, up-began)
		}
	}
	if out {
		sum += max(0, now-began)
	}
	return sum, true
}

// allSteady says whether no target is on its way; the order of the map does not matter.
func allSteady(states map[string]EventKind) bool {
	for _, k := range states {
		if k != Steady {
			return false
		}
	}
	return true
}

// service says in words how the service stands.
func (s *State) service() string {
	before := 0
	for _, e := range s.Edges {
		if e.Kind == Down && s.primary(e.Target) && (!s.Fault.Asked || e.At < s.Fault.AskedAt) {
			before++
		}
	}
	_, failed := s.failed()
	switch {
	case failed && s.down():
		return "down"
	case failed && s.steady():
		return "stable again"
	case failed:
		return "answers again, not stable yet"
	case s.Fault.Asked && s.Fault.Ended:
		return "not seen to fail since the fault"
	case s.Fault.Asked:
		return "no failure seen since the fault yet"
	case s.down():
		return "fails before anything was broken"
	case before > 0:
		return fmt.Sprintf("failed %s before anything was broken; it must answer for %s without a failure first", times(before), s.Plan.Baseline)
	case s.Closed():
		return "nothing was broken"
	}
	return "nothing is broken yet"
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func (s *State) doing(o Open) *Doing {
	c := o.Command
	d := &Doing{Command: c.ID, Kind: c.Kind, Hint: c.Hint, Attempt: c.Attempt, Since: o.At, By: s.Plan.Lead}
	if c.Step == nil {
		d.Text = fmt.Sprintf("Declare the disaster: %s. Begin the recovery?", s.Plan.Title)
		for _, n := range c.Notices {
			d.Text += "\n" + n.String()
		}
		if len(c.Notices) > 0 {
			d.Text += "\n" + NothingSent
		}
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
	case s.isOpenKind(DoRead):
		return "the canary's rows are being read"
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
		return fmt.Sprintf("watching the steady state until it has held for %s, at most %s", s.Plan.Baseline, s.Plan.BaselineLimit)
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
