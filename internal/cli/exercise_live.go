package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/internal/cli/term"
)

// newProgress chooses how an exercise is shown while it goes on. end is called once at the end.
func newProgress(app *App, out *term.Printer, o exerciseOptions, mode exercise.Mode) (show func(exercise.View), end func(), err error) {
	nothing := func() {}
	switch o.Progress {
	case "none", "json":
		return func(exercise.View) {}, nothing, nil
	case "plain":
		return (&plainProgress{out: out}).show, nothing, nil
	case "auto", "":
		if o.JSON && mode == exercise.Automatic {
			return func(exercise.View) {}, nothing, nil
		}
		if out.TTY && mode == exercise.Automatic {
			l := &liveProgress{out: out}
			return l.show, l.end, nil
		}
		return (&plainProgress{out: out}).show, nothing, nil
	}
	return nil, nil, Exitf(Usage, "there is no progress %q (there are: auto, plain, json, none)", o.Progress)
}

// progressLine writes one phase as one JSON line on standard error.
func progressLine(app *App, id string, phase exercise.Phase) {
	b, err := json.Marshal(map[string]string{"exercise": id, "phase": string(phase), "time": app.Clock.Now().Format(time.RFC3339Nano)})
	if err == nil {
		fmt.Fprintln(app.Stderr, string(b))
	}
}

// plainProgress writes one line for each thing that happens.
type plainProgress struct {
	out   *term.Printer
	marks int
	edges int
	steps map[string]string
}

func (p *plainProgress) show(v exercise.View) {
	if p.steps == nil {
		p.steps = map[string]string{}
		p.out.Line("Exercise %s: %s in %s, %s", v.ID, v.Title, v.Environment, v.Mode)
	}
	// At the same moment: what a probe saw, the step that ended, the phase that began, the step that began.
	var lines, begun []progressText
	for ; p.edges < len(v.Edges); p.edges++ {
		e := v.Edges[p.edges]
		lines = append(lines, progressText{e.At, e.Target + " is " + string(e.Kind)})
	}
	for _, step := range v.Steps {
		switch {
		case step.State == p.steps[step.ID] || step.State == "not reached":
		case step.State == exercise.StepRunning:
			begun = append(begun, stepLine(step))
		default:
			lines = append(lines, stepLine(step))
		}
		p.steps[step.ID] = step.State
	}
	for ; p.marks < len(v.Marks); p.marks++ {
		m := v.Marks[p.marks]
		text := string(m.Phase)
		if m.Phase == exercise.Faulted && v.Fault.Confirmed != "" {
			text += ": " + v.Fault.Confirmed
		}
		lines = append(lines, progressText{m.At, text})
	}
	lines = append(lines, begun...)
	slices.SortStableFunc(lines, func(a, b progressText) int {
		return cmp.Compare(a.at.Truncate(time.Millisecond), b.at.Truncate(time.Millisecond))
	})
	for _, l := range lines {
		p.out.Line("%8.1fs  %s", l.at.Seconds(), l.text)
	}
}

// progressText is one line of the plain progress.
type progressText struct {
	at   time.Duration
	text string
}

func stepLine(s exercise.StepResult) progressText {
	text := fmt.Sprintf("step %s %s", s.ID, s.State)
	if s.Choice != "" {
		text += ": " + s.Choice
	}
	if s.Why != "" && s.State != exercise.StepDone && s.State != exercise.StepRunning {
		text += " (" + s.Why + ")"
	}
	at := s.EndMS
	if s.State == exercise.StepRunning {
		at = s.StartMS
	}
	return progressText{time.Duration(at * float64(time.Millisecond)), text}
}

// liveProgress redraws a few lines in place.
type liveProgress struct {
	out   *term.Printer
	drawn int
}

func (l *liveProgress) show(v exercise.View) {
	lines := liveLines(l.out, v)
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", l.drawn)
	}
	for _, line := range lines {
		b.WriteString("\x1b[2K" + ansi.Truncate(line, max(20, l.out.Width-1), "…") + "\n")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(l.out, b.String())
	l.drawn = len(lines)
}

// end leaves the last picture and goes on below it.
func (l *liveProgress) end() { l.drawn = 0 }

// liveLines is the picture of an exercise in a few lines.
func liveLines(out *term.Printer, v exercise.View) []string {
	lines := []string{
		fmt.Sprintf("%s  %s", out.Bold(v.Title), out.Dim(fmt.Sprintf("%s, %s", v.Environment, v.Mode))),
	}
	for _, line := range term.Wrap(phaseBar(out, v), out.Width-3) {
		lines = append(lines, "  "+line)
	}
	lines = append(lines, "  "+elapsedText(out, v))
	for _, t := range v.Targets {
		if t.Primary || t.Downs > 0 {
			lines = append(lines, fmt.Sprintf("  %s %s", strip(out, v, t.Name), t.Name))
		}
	}
	step := v.Next
	if v.Current != nil && v.Current.Step != "" {
		step = fmt.Sprintf("step %s: %s", v.Current.Step, strings.ReplaceAll(v.Current.Text, "\n", " "))
	}
	return append(lines, "  "+step)
}

// phaseBar shows the phases, those behind us dim, the present one bold.
func phaseBar(out *term.Printer, v exercise.View) string {
	phases := []exercise.Phase{
		exercise.Baseline, exercise.Faulted, exercise.Detected, exercise.Declared, exercise.Recovering,
		exercise.Testing, exercise.Stable, exercise.Reverted, exercise.Resuming, exercise.Closed,
	}
	var parts []string
	for _, p := range phases {
		switch {
		case p == v.Phase:
			parts = append(parts, out.Bold(string(p)))
		default:
			parts = append(parts, out.Dim(string(p)))
		}
	}
	return strings.Join(parts, " ")
}

// elapsedText is the time since the first failure against the RTO.
func elapsedText(out *term.Printer, v exercise.View) string {
	if !v.Down {
		return fmt.Sprintf("%s; the RTO is %s", v.Service, term.Duration(v.RTO))
	}
	text := fmt.Sprintf("%s, %s elapsed of an RTO of %s", v.Service, term.Duration(v.Elapsed.Round(100*time.Millisecond)), term.Duration(v.RTO))
	if v.Elapsed > v.RTO {
		return out.Bad(text)
	}
	return text
}

// strip draws the target's past as one cell for each part of the time: up or down.
func strip(out *term.Printer, v exercise.View, target string) string {
	const cells = 40
	width := max(v.Now/cells, 250*time.Millisecond)
	var b strings.Builder
	for i := range cells {
		from, until := time.Duration(i)*width, time.Duration(i+1)*width
		if from > v.Now {
			b.WriteString(" ")
			continue
		}
		if downIn(v.Edges, target, from, until) {
			b.WriteString(out.Bad("▁"))
		} else {
			b.WriteString(out.Good("█"))
		}
	}
	return b.String()
}

// downIn says whether the target was down at any time within the span.
func downIn(edges []exercise.Edge, target string, from, until time.Duration) bool {
	down := false
	for _, e := range edges {
		if e.Target != target {
			continue
		}
		if e.At >= until {
			break
		}
		if e.At >= from && (e.Kind == exercise.Down || down) {
			return true
		}
		down = e.Kind == exercise.Down
	}
	return down
}
