package cli

import (
	"fmt"
	"strings"

	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/stage"
)

// line shows a line to a person.
func (d *demo) line(format string, args ...any) {
	if d.say != nil {
		d.say.Line(format, args...)
	}
}

func (d *demo) bold(s string) string {
	if d.say == nil {
		return s
	}
	return d.say.Bold(s)
}

// step says what begins.
func (d *demo) step(title, what string) {
	if d.say != nil {
		d.say.Line("%s %s", d.say.Bold(title+":"), what)
	}
}

// done says what came of it.
func (d *demo) done(format string, args ...any) {
	if d.say != nil {
		d.say.Text(6, "    "+d.say.Glyph("done")+" "+fmt.Sprintf(format, args...))
	}
}

// show prints the table of exercises and the stage.
func (d *demo) show(r demoReport) {
	p := d.say
	p.Line("")
	p.Line("%s", p.Bold("What was measured"))
	t := p.Table("scenario", "verdict", "outage", "RTO", "lost", "RPO")
	for _, e := range r.Exercises {
		t.Row(e.Scenario, p.Word(string(e.Verdict)), outageText(p, e), msText(p, float64(e.RTOMS)), lossLine(p, e),
			strings.TrimPrefix(rpoText(p, e), "RPO "))
	}
	t.Print()
	p.Line("")
	p.Line("%s", p.Bold("Where the time went"))
	t = p.Table("scenario", "detect", "declare", "decide", "execute", "verify", "stabilise", "biggest")
	for _, e := range r.Exercises {
		s := e.SplitMS
		part, _ := biggest(s)
		t.Row(e.Scenario, term.Millis(s.Detect), term.Millis(s.Declare), term.Millis(s.Decide), term.Millis(s.Execute),
			term.Millis(s.Verify), term.Millis(s.Stabilise), part)
	}
	t.Print()
	p.Line("%s", p.Dim("The exercises were announced: detect is the probes' time, not a pager's."))
	p.Line("")
	showStage(p, stage.Assessment{Application: "bookstore", Stage: r.Stage, Criteria: r.Criteria, Next: r.Next})
	p.Line("")
	p.Text(0, fmt.Sprintf("Kept in %s: the playbook as one document (playbook.html), and the evidence.", d.dir))
	dir := d.opts.Dir
	if dir == "" {
		dir = d.dir
	}
	p.Line("  belay evidence verify%s", inDir(dir))
	switch {
	case !d.info.Started():
		p.Line("  belay demo down%s", inDir(dir))
	case d.opts.Dir != "":
		p.Line("  belay demo up%s", inDir(dir))
	}
}
