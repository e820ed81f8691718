package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/roster"
)

// step is one numbered line of a procedure.
type step struct {
	Number int
	ID     string
	// Anchor is unique in the document.
	Anchor string
	// Kind is what is asked of the reader: do, run, check, decide, approve, wait, notify, follow.
	Kind string
	Text string
	By   string
	// Marks are short remarks: optional, no way back, time limit.
	Marks    []string
	Commands []command
	// Lines are the labelled rest: what is expected, captured, noted, and where to go on.
	Lines   []labelled
	Options []option
	Example string
}

type labelled struct{ Label, Text string }

// command is what is typed, per environment.
type command struct{ Environment, Where, Text string }

type option struct{ ID, Text, If, Then string }

func scenarioID(id string) string { return "scenario-" + id }

func (b *builder) scenario(id string, s *playbook.Scenario) section {
	sec := section{ID: scenarioID(id), Title: cmp.Or(s.Title, id), Scenario: true}
	facts := table{Header: []string{"", ""}, Facts: true}
	fact := func(label string, c cell) { facts.Rows = append(facts.Rows, []cell{{Text: label}, c}) }
	fact("Class", cell{Text: strings.ReplaceAll(string(s.Class), "-", " ")})
	fact("Covers", cell{Text: dash(b.serviceNames(s.Covers))})
	fact("Severity", cell{Text: dash(s.Severity)})
	fact("Recovery time objective", cell{Text: duration(s.RTO)})
	fact("Recovery point objective", cell{Text: duration(s.RPO)})
	fact("Primary lead", b.lead(s.Leads.Primary))
	fact("Secondary lead", b.lead(s.Leads.Secondary))
	fact("Recovers by", cell{Text: string(cmp.Or(s.RecoversBy, playbook.ByProcedure))})
	fact("Recovery platform", cell{Text: dash(s.Platform)})
	fact("How an exercise breaks it", cell{Text: dash(b.specWords(s.Fault))})
	sec.Blocks = append(sec.Blocks, block{Table: &facts})
	if len(s.Overview) > 0 {
		sec.Blocks = append(sec.Blocks, block{Heading: "Overview"}, block{Bullets: s.Overview})
	}
	if len(s.Assume) > 0 {
		var lines []string
		for _, a := range s.Assume {
			line := a.Text
			if a.Check != nil {
				line += " — checked by " + b.specWords(a.Check)
			}
			lines = append(lines, line)
		}
		sec.Blocks = append(sec.Blocks, block{Heading: "Assumptions"}, block{Bullets: lines})
	}
	for _, pr := range []struct {
		name, title string
		steps       []playbook.Step
	}{
		{"recovery", "Recovery procedure", s.Recovery},
		{"test", "Test procedure", s.Test},
		{"resume", "Resume procedure", s.Resume},
		{"backout", "Backout: when stopped after a step of no return", s.Backout},
	} {
		if len(pr.steps) == 0 {
			if pr.name != "backout" {
				sec.Blocks = append(sec.Blocks, block{Heading: pr.title}, block{Para: "No step is written."})
			}
			continue
		}
		sec.Blocks = append(sec.Blocks, block{Heading: pr.title}, block{Steps: b.steps(id+"-"+pr.name, pr.steps)})
	}
	return sec
}

// lead is a person with position and number: whom to ring, without turning the page.
func (b *builder) lead(id string) cell {
	p, ok := b.pb.People.Get(id)
	if !ok {
		return cell{Text: dash(id)}
	}
	words := []string{roster.PersonName(b.pb, id)}
	for _, w := range []string{p.Position, p.Phone} {
		if w != "" {
			words = append(words, w)
		}
	}
	return cell{Text: strings.Join(words, ", "), Link: phone(p.Phone).Link}
}

func (b *builder) steps(prefix string, steps []playbook.Step) []step {
	out := make([]step, len(steps))
	for i := range steps {
		out[i] = b.step(prefix, steps, i)
	}
	return out
}

func (b *builder) step(prefix string, steps []playbook.Step, i int) step {
	s := &steps[i]
	out := step{Number: i + 1, ID: s.ID, Anchor: fmt.Sprintf("%s-%d", prefix, i+1), Example: s.Example}
	if s.By != "" {
		out.By = b.whoName(s.By)
	}
	line := func(label, text string) {
		if text != "" {
			out.Lines = append(out.Lines, labelled{label, b.text(text)})
		}
	}
	own := ""
	switch {
	case s.Manual != "":
		out.Kind, own = "Do", s.Manual
	case s.Use != "":
		out.Kind = "Run"
		own = b.action(s.Use, &out)
	case len(s.Run) > 0:
		out.Kind, own = "Run", ""
		out.Commands = append(out.Commands, command{Where: b.text(s.Where), Text: b.commandLine(s.Run)})
	case s.Shell != "":
		out.Kind = "Run"
		out.Commands = append(out.Commands, command{Where: b.text(s.Where), Text: b.text(s.Shell)})
	case s.Check != nil:
		out.Kind, own = "Check", b.specWords(s.Check)
	case s.Ask != "":
		out.Kind, own = "Decide", s.Ask
	case s.Approve != "":
		out.Kind, own = "Approve", s.Approve
	case s.Wait > 0:
		out.Kind, own = "Wait", s.Wait.String()
	case s.Notify != "":
		names := make([]string, len(s.To))
		for j, id := range s.To {
			names[j] = b.whoName(id)
		}
		out.Kind, own = "Notify", strings.Join(names, ", ")+": "+s.Notify
	case s.Call != "":
		out.Kind, own = "Follow", s.Call
		if called, ok := b.pb.Scenarios.Get(s.Call); ok {
			own = cmp.Or(called.Title, s.Call)
		}
		own = "the recovery procedure of " + own
	}
	out.Text = b.text(cmp.Or(s.Text, own))
	if s.Text != "" && own != "" && s.Text != own {
		line("That is", own)
	}
	if s.Ask != "" && s.Check != nil {
		line("Look at", b.specWords(s.Check))
	}
	line("Look for", b.specWords(s.Expect))
	for _, c := range s.Capture {
		line("Keep", captureWords(c))
	}
	for _, o := range s.Options {
		out.Options = append(out.Options, option{
			ID: o.ID, Text: b.text(o.Value.Text), If: b.specWords(o.Value.If),
			Then: jumpWords(steps, i, o.Value.Goto),
		})
	}
	if s.Then.OK != "" && len(s.Options) == 0 {
		line("If it worked", jumpWords(steps, i, s.Then.OK))
	}
	if s.Then.Failed != "" {
		line("If it did not", jumpWords(steps, i, s.Then.Failed))
	}
	line("Note", s.Note)
	out.Marks = b.marks(s)
	return out
}

// action adds the commands of an action in the environments shown, and returns its text.
func (b *builder) action(id string, out *step) string {
	action, ok := b.pb.Actions.Get(id)
	if !ok {
		return id
	}
	for _, row := range action.Bindings {
		if b.opts.Environment != "" && row.ID != b.opts.Environment {
			continue
		}
		v := row.Value
		c := command{Environment: row.ID, Where: b.text(v.Where)}
		switch {
		case len(v.Run) > 0:
			c.Text = b.commandLine(v.Run)
		case v.Shell != "":
			c.Text = b.text(v.Shell)
		case v.Manual != "":
			c.Text = "# by hand: " + b.text(v.Manual)
		case v.Check != nil:
			c.Text = "# check: " + b.specWords(v.Check)
		}
		out.Commands = append(out.Commands, c)
		for _, capture := range v.Capture {
			out.Lines = append(out.Lines, labelled{"Keep (" + row.ID + ")", captureWords(capture)})
		}
		if v.Expect != nil {
			out.Lines = append(out.Lines, labelled{"Look for (" + row.ID + ")", b.specWords(v.Expect)})
		}
		if v.Example != "" && out.Example == "" {
			out.Example = v.Example
		}
	}
	if action.Expect != nil {
		out.Lines = append(out.Lines, labelled{"Look for", b.specWords(action.Expect)})
	}
	if action.Note != "" {
		out.Lines = append(out.Lines, labelled{"Note", action.Note})
	}
	return cmp.Or(action.Text, id)
}

func (b *builder) marks(s *playbook.Step) []string {
	var marks []string
	if s.Optional {
		mark := "optional"
		if s.If != nil {
			mark += ", if " + b.specWords(s.If)
		}
		marks = append(marks, mark)
	}
	if s.NoReturn {
		marks = append(marks, "no way back after this")
	}
	if s.Timeout > 0 {
		marks = append(marks, "within "+s.Timeout.String())
	}
	if s.Retry > 0 {
		marks = append(marks, fmt.Sprintf("try %d times", s.Retry+1))
	}
	if s.Repeat != "" {
		marks = append(marks, "repeat: "+string(s.Repeat))
	}
	return marks
}

func captureWords(c playbook.Row[playbook.Capture]) string {
	from := "the whole output"
	switch {
	case c.Value.JSON != "":
		from = c.Value.JSON
	case c.Value.Regexp != "":
		from = "what matches " + c.Value.Regexp
	}
	words := fmt.Sprintf("${%s} from %s", c.ID, from)
	if c.Value.Sensitive {
		words += " (secret: do not write it down)"
	}
	return words
}

// jumpWords says where a jump of step i leads, by the number that is printed beside the step.
func jumpWords(steps []playbook.Step, i int, jump playbook.Jump) string {
	switch jump {
	case "", playbook.Next:
		if i+1 < len(steps) {
			return fmt.Sprintf("go on with step %d", i+2)
		}
		return "the procedure is done"
	case playbook.ToResume:
		return "the recovery is done: go to the test procedure"
	case playbook.Stop:
		return "stop: the procedure has failed"
	}
	if to := slices.IndexFunc(steps, func(s playbook.Step) bool { return s.ID == string(jump) }); to >= 0 {
		return fmt.Sprintf("go to step %d (%s)", to+1, jump)
	}
	return "go to " + string(jump)
}

// commandLine fills in the values before it quotes, so that nothing is quoted that needs no quotes.
func (b *builder) commandLine(args []string) string {
	filled := make([]string, len(args))
	for i, a := range args {
		filled[i] = b.text(a)
	}
	return shellWords(filled)
}

// shellWords writes an argument list so that a person can paste it into a shell. Placeholders stay readable.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		safe := a != "" && strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+") == ""
		switch {
		case safe:
			words[i] = a
		case strings.Contains(a, "${"):
			words[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(a) + `"`
		default:
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
