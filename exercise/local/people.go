package local

import (
	"fmt"

	"github.com/belay-dr/belay/exercise"
)

// inputs is where people's words come from; nil while none can be taken.
func (d *driver) inputs() <-chan Input { return d.Inputs }

// question is the command that waits for a person, if there is one.
func (d *driver) question() *exercise.Command {
	for _, o := range d.state.Open {
		switch o.Command.Kind {
		case exercise.DoAsk, exercise.DoSettle:
			return &o.Command
		case exercise.DoDeclare:
			if d.state.Plan.Mode != exercise.Automatic {
				return &o.Command
			}
		}
	}
	return nil
}

// said takes one thing a person said. A closed input ends the exercise once somebody is needed.
func (d *driver) said(in Input, ok bool) error {
	if !ok {
		d.Inputs = nil
		if d.state.Plan.Mode == exercise.Automatic {
			return nil
		}
		in = Input{Kind: SayStop, By: "belay", Text: "nobody answers any more"}
	}
	if in.By == "" {
		in.By = d.state.Plan.Runner
	}
	switch in.Kind {
	case SayNote:
		return d.handle(exercise.Event{Kind: exercise.Noted, By: in.By, Text: in.Text})
	case SayDeviation:
		return d.handle(exercise.Event{Kind: exercise.Deviation, By: in.By, Text: in.Text})
	case SayStop:
		return d.handle(exercise.Event{Kind: exercise.Stopped, By: in.By, Text: in.Text})
	}
	d.waiting = append(d.waiting, in)
	return d.answerWaiting()
}

// answerWaiting gives the next answer to the question that is open, if there are both.
func (d *driver) answerWaiting() error {
	q := d.question()
	if q == nil || len(d.waiting) == 0 {
		return nil
	}
	in := d.waiting[0]
	d.waiting = d.waiting[1:]
	e := exercise.Event{Kind: exercise.CommandDone, Command: q.ID, By: in.By, Text: in.Text, Choice: in.Choice, Captures: in.Captures}
	switch in.Kind {
	case SayFailed:
		e.Kind = exercise.CommandFailed
		if e.Text == "" {
			e.Text = fmt.Sprintf("%s said that it failed", in.By)
		}
	case SaySkip:
		e.Kind = exercise.CommandSkipped
	case SayRun:
		e.Choice = runChoice(*q)
	}
	if q.Step != nil {
		e.Captures = d.sensitive(*q.Step, e.Captures)
	}
	return d.handle(e)
}

// runChoice is what "run" means for a question: carry the step out, carry it out once more, or nothing in particular.
func runChoice(q exercise.Command) string {
	switch {
	case q.Kind == exercise.DoSettle:
		return "again"
	case q.Step != nil && q.Step.Kind == exercise.NodeRun:
		return "run"
	}
	return ""
}

// sensitive puts typed values that must not be written down into the vault.
func (d *driver) sensitive(n exercise.Node, values []exercise.Captured) []exercise.Captured {
	out := make([]exercise.Captured, 0, len(values))
	for _, v := range values {
		for _, c := range n.Captures {
			if c.Name == v.Name && c.Sensitive {
				d.actor.Keep(v.Name, v.Value)
				v = exercise.Captured{Name: v.Name, Sensitive: true}
			}
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
