package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/internal/cli/term"
)

// showResult prints the end of an exercise.
func showResult(out *term.Printer, r exercise.Result, record, dir string) {
	out.Line("")
	out.Line("%s  %s", out.Word(string(r.Verdict)), out.Bold(r.Title))
	out.Text(2, "  "+r.Why)
	row := func(name, value string) {
		if value != "" {
			out.Text(15, "  "+pad(name, 12)+" "+value)
		}
	}
	row("outage", outageText(out, r))
	row("lost", lossLine(out, r))
	row("split", splitText(out, r))
	row("objective", fmt.Sprintf("%s (RTO %s, %s)", r.Objective, msText(out, float64(r.RTOMS)), rpoText(out, r)))
	if r.RelapseMS != nil {
		row("relapses", fmt.Sprintf("%d after it had been stable, %s", r.Relapses, term.Bounds(r.RelapseMS.Lower, r.RelapseMS.Upper)))
	}
	if r.Baseline != nil && r.Baseline.Waited {
		row("baseline", r.Baseline.Text)
	}
	row("procedure", string(r.Procedure))
	row("recovered by", r.Attribution)
	row("fault", faultText(r.Fault))
	for _, d := range r.Deviations {
		row("deviation", d)
	}
	for _, n := range r.Notes {
		row("note", n)
	}
	if len(r.Notices) > 0 && outageText(out, r) != noOutage {
		for _, n := range r.Notices {
			row("to be told", noticeText(n))
		}
		row("", exercise.NothingSent)
	}
	row("evidence", record)
	row("exercise", r.ID)
	if r.OutageMS.Upper == nil {
		out.Text(2, "  "+out.Bad("It was not seen to come back. Look at it first: belay doctor --env "+r.Environment+inDir(dir)))
	}
	out.Line("Next: %s", nextCommand(r, dir))
}

// nextCommand is the one thing to do after an exercise.
func nextCommand(r exercise.Result, dir string) string {
	flags := inDir(dir)
	switch {
	case r.Verdict == exercise.Pass:
		return "belay stage" + flags
	case len(r.Deviations) > 0:
		return "write the deviation into the playbook, then: belay lint" + flags
	default:
		return "belay exercise show " + r.ID + flags
	}
}

// noOutage is said of an exercise in which nothing failed.
const noOutage = "none seen"

func outageText(out *term.Printer, r exercise.Result) string {
	if r.OutageMS.Upper != nil && r.OutageMS.Lower == 0 && r.SpanMS == 0 && r.FailingMS == 0 {
		return noOutage
	}
	return term.Bounds(r.OutageMS.Lower, r.OutageMS.Upper)
}

func lossLine(out *term.Printer, r exercise.Result) string {
	switch {
	case r.Loss == nil:
		return "not measured"
	case r.Loss.Rows == 0:
		return fmt.Sprintf("nothing (of %s)", plural(r.Loss.Acked, "write"))
	}
	text := fmt.Sprintf("%s, %s", plural(r.Loss.Rows, "row"), term.Bounds(r.Loss.SpanMS.Lower, r.Loss.SpanMS.Upper))
	if r.Loss.Late > 0 {
		text += fmt.Sprintf(", %d of them late: after the service was stable", r.Loss.Late)
	}
	return text
}

// rpoText is the objective for lost data. One that is not stated is not zero, and not met.
func rpoText(out *term.Printer, r exercise.Result) string {
	if r.RPOMS == 0 {
		return "no RPO stated"
	}
	return "RPO " + msText(out, float64(r.RPOMS))
}

// noticeText says who was to be told what, and how.
func noticeText(n exercise.NoticeSeen) string {
	return strings.TrimPrefix(exercise.Notice{
		Who: n.Who, How: n.How, Within: time.Duration(n.WithinMS) * time.Millisecond, Why: n.Why, Text: n.Text,
	}.String(), "tell ")
}

// splitParts are the parts of the recovery time, in order.
func splitParts(s exercise.Split) []struct {
	name string
	ms   *float64
} {
	return []struct {
		name string
		ms   *float64
	}{
		{"detect", s.Detect},
		{"declare", s.Declare},
		{"decide", s.Decide},
		{"execute", s.Execute},
		{"verify", s.Verify},
		{"stabilise", s.Stabilise},
	}
}

func biggest(s exercise.Split) (name string, ms float64) {
	for _, p := range splitParts(s) {
		if p.ms != nil && *p.ms > ms {
			name, ms = p.name, *p.ms
		}
	}
	return name, ms
}

// splitText shows where the time went. The exercise was announced, so "detect" is not what a real failure would need.
func splitText(out *term.Printer, r exercise.Result) string {
	var parts []string
	for _, p := range splitParts(r.SplitMS) {
		if p.ms == nil {
			continue
		}
		text := p.name + " " + msText(out, *p.ms)
		if p.name == "detect" {
			text += " (announced)"
		}
		parts = append(parts, text)
	}
	if name, _ := biggest(r.SplitMS); name != "" {
		parts = append(parts, "most of it: "+name)
	}
	return strings.Join(parts, ", ")
}

func faultText(f exercise.FaultSeen) string {
	if f.Target == "" {
		return ""
	}
	text := fmt.Sprintf("%s: %s", f.Target, f.State)
	if f.State == string(fault.Failed) {
		return text + "; it was not seen to have ended, so something may be left: belay fault list"
	}
	if len(f.Superseded) > 0 {
		text += "; left alone: " + strings.Join(f.Superseded, ", ")
	}
	if len(f.Residue) > 0 {
		return text + "; left behind: " + strings.Join(f.Residue, ", ")
	}
	return text + "; nothing left behind"
}

func msText(out *term.Printer, ms float64) string {
	return term.Duration(time.Duration(ms * float64(time.Millisecond)))
}
