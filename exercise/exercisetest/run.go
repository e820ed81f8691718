package exercisetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
)

// Outcome is what a script came to.
type Outcome struct {
	Plan   exercise.Plan
	Events []exercise.Event
	State  exercise.State
	// Commands are all commands given out, in order.
	Commands []exercise.Command
	// Blocks are the script's blocks with their actual output.
	Blocks []Block
}

// Run runs a script against Step and returns what it printed.
func Run(text string) (Outcome, error) {
	blocks, err := Parse(text)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Blocks: blocks}
	for i := range o.Blocks {
		b := &o.Blocks[i]
		if b.Output, err = o.block(*b); err != nil {
			return o, fmt.Errorf("%s: %w", b.Command, err)
		}
	}
	return o, nil
}

func (o *Outcome) block(b Block) (string, error) {
	name, arg, _ := strings.Cut(b.Command, " ")
	switch name {
	case "plan":
		var err error
		if o.Plan, err = Plan(b); err != nil {
			return "", err
		}
		o.State = exercise.New(o.Plan)
		return fmt.Sprintf("%d steps\n", len(o.Plan.Nodes)), nil
	case "prelude":
		out := o.apply(Prelude(arg))
		return out[strings.Index(out, "done declare"):][len("done declare#1#1\n"):], nil
	case "events":
		events, err := Events(b.Input)
		if err != nil {
			return "", err
		}
		return o.apply(events), nil
	case "view":
		return view(exercise.Show(o.State, o.State.Now)), nil
	case "result":
		return result(exercise.Build(o.State, o.Plan.Planned, o.Plan.Planned.Add(o.State.Now))), nil
	}
	return "", fmt.Errorf("unknown command")
}

// apply gives the events to the machine and prints what each of them did.
func (o *Outcome) apply(events []exercise.Event) string {
	var out strings.Builder
	for _, e := range events {
		o.Events = append(o.Events, e)
		before := o.State
		next, commands, changed := exercise.Apply(o.State, e)
		o.State = next
		o.Commands = append(o.Commands, commands...)
		fmt.Fprintf(&out, "%s %s\n", e.At, eventText(e))
		if !changed {
			out.WriteString("  nothing changes\n")
		}
		for _, m := range next.Marks[len(before.Marks):] {
			fmt.Fprintf(&out, "  phase %s\n", m.Phase)
		}
		for i, st := range next.Steps {
			if st.State != before.Steps[i].State && st.State != "" {
				fmt.Fprintf(&out, "  step %s %s%s\n", next.Plan.Nodes[i].ID, st.State, why(st.Why))
			}
		}
		for _, c := range commands {
			fmt.Fprintf(&out, "  %s %s%s\n", c.ID, c.Kind, commandText(c))
		}
	}
	return out.String()
}

func why(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func eventText(e exercise.Event) string {
	text := strings.TrimPrefix(string(e.Kind), "command_")
	if e.Kind == exercise.CommandStarted {
		text = "begun"
	}
	for _, w := range []string{e.Command, e.Target, e.Text} {
		if w != "" {
			text += " " + w
		}
	}
	return text
}

func commandText(c exercise.Command) string {
	var text string
	if c.Kind == exercise.DoCancel {
		text += " " + c.Target
	}
	if c.Step != nil && len(c.Step.Argv) > 0 {
		text += " " + exercise.Readable(strings.Join(c.Step.Argv, " "))
	}
	if c.Hint != "" {
		text += " hint=" + c.Hint
	}
	if c.End > 0 {
		text += " end=" + c.End.String()
	}
	return text
}

func view(v exercise.View) string {
	var out strings.Builder
	fmt.Fprintf(&out, "phase %s, elapsed %s of %s\nservice: %s\nnext: %s\n", v.Phase, v.Elapsed, v.RTO, v.Service, v.Next)
	for _, n := range v.Notices {
		out.WriteString(n.String() + "\n")
	}
	if q := v.Question; q != nil {
		fmt.Fprintf(&out, "question %s: %s (%s)%s\n", q.Command, q.Text, q.By, why(q.Why))
	}
	for _, line := range v.Last {
		out.WriteString(line + "\n")
	}
	return out.String()
}

func result(r exercise.Result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n", r.Verdict, r.Why)
	outage, _ := json.Marshal(r.OutageMS)
	fmt.Fprintf(&out, "objective %s, procedure %s, attribution %q, outage %s\n", r.Objective, r.Procedure, r.Attribution, outage)
	if b := r.Baseline; b != nil && b.Waited {
		fmt.Fprintf(&out, "baseline: %s\n", b.Text)
	}
	if r.Relapses > 0 {
		again, _ := json.Marshal(r.RelapseMS)
		fmt.Fprintf(&out, "relapses: %d, %s\n", r.Relapses, again)
	}
	if r.Loss != nil && r.Loss.Rows > 0 {
		span, _ := json.Marshal(r.Loss.SpanMS)
		fmt.Fprintf(&out, "lost: %d rows, %d of them late, %s\n", r.Loss.Rows, r.Loss.Late, span)
	}
	for _, n := range r.Notices {
		listed, _ := json.Marshal(n.ListedMS)
		fmt.Fprintf(&out, "notice: %s by %s, %q, listed %s to %q, sent %t\n", n.Who, n.How, n.Text, listed, n.By, n.Sent)
	}
	if len(r.Deviations) > 0 {
		fmt.Fprintf(&out, "deviations: %s\n", strings.Join(r.Deviations, "; "))
	}
	if len(r.Notes) > 0 {
		fmt.Fprintf(&out, "notes: %s\n", strings.Join(r.Notes, "; "))
	}
	for _, s := range r.Steps {
		took := time.Duration((s.EndMS - s.StartMS) * float64(time.Millisecond))
		fmt.Fprintf(&out, "%s %s: %s %s", s.Procedure, s.ID, s.State, took)
		for _, w := range []string{s.Choice, s.By} {
			if w != "" {
				out.WriteString(" " + w)
			}
		}
		out.WriteString(why(s.Why) + "\n")
	}
	return out.String()
}
