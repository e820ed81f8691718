package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure"
)

// observe begins to watch and answers when the steady state has been watched for long enough.
func (d *driver) observe(ctx context.Context, s exercise.State) exercise.Event {
	fail := func(err error) exercise.Event {
		return exercise.Event{Kind: exercise.CommandFailed, Text: err.Error()}
	}
	if err := d.watch(); err != nil {
		return fail(err)
	}
	for _, a := range s.Plan.Assumptions {
		if a.Check == nil {
			continue
		}
		if err := d.actor.Check(ctx, *a.Check); err != nil {
			return fail(fmt.Errorf("an assumption does not hold: %s: %w", a.Text, err))
		}
	}
	seen, err := d.steady(ctx, s.Plan)
	e := exercise.Event{Kind: exercise.CommandDone, Baseline: &seen}
	if err != nil {
		e.Kind, e.Text = exercise.CommandFailed, err.Error()
	}
	return e
}

// watch starts the observer, once.
func (d *driver) watch() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.observer != nil {
		return nil
	}
	o, err := newObserver(d.opening.Plan, d.folder, d.Clock, d.origin, d.post)
	if err != nil {
		return err
	}
	if err := o.start(d.base); err != nil {
		o.stop()
		return err
	}
	d.observer = o
	return nil
}

// measure drains the probes, reads the canary back and does the arithmetic. What is being ended early is measured all the same.
func (d *driver) measure(c exercise.Command, s exercise.State) exercise.Event {
	o := d.observer
	if o == nil {
		return exercise.Event{Kind: exercise.CommandFailed, Text: "nothing was watched"}
	}
	if !s.Ending {
		// What the end of the fault does to the service must still be seen.
		time.Sleep(s.Plan.Pace.Grace())
	}
	o.stop()
	m := o.measured(d.base, c.End, d.now(), s.Fault)
	m.Versions = o.versions()
	m.Files = map[string]string{}
	for name, j := range map[string]*journal{samplesFile: o.sampleLog, canaryFile: o.writeLog, readingsFile: o.readLog} {
		if sum, err := j.digest(); err == nil {
			m.Files[name] = sum
		}
	}
	return exercise.Event{Kind: exercise.CommandDone, Measured: &m}
}

// measured does the arithmetic over everything before end. What failed before the fault was asked for is the baseline's.
func (o *observer) measured(ctx context.Context, end, now time.Duration, f exercise.Fault) exercise.Measured {
	if end == 0 {
		end = now
	}
	from := end
	if f.Asked {
		from = f.AskedAt
	}
	reports := measure.Together(o.decisive(end), o.gaps, o.plan.Pace, from, end)
	report := reports[0]
	m := exercise.Measured{
		Seen: report.Happened, StartLow: report.Start.After, StartHigh: report.Start.Until, EndLow: report.Stop.After, EndHigh: report.Stop.Until,
		Lower: report.Bounds.Lower, Upper: report.Bounds.Upper, Censored: report.Bounds.Censored || report.Ongoing,
		FirstFail: report.FirstFail, Flaps: report.Flaps, Failing: report.Failing, Span: report.Span,
	}
	if !m.Seen {
		m.Lower, m.Upper, m.Censored = 0, report.Resolution, false
	}
	if report.FirstOK != nil && report.Stable != nil {
		m.FirstOK, m.Stable = *report.FirstOK, *report.Stable
	}
	if again := measure.Total(reports[1:]); len(reports) > 1 {
		m.Relapses, m.RelapseLower, m.RelapseUpper, m.RelapseCensored = len(reports)-1, again.Lower, again.Upper, again.Censored
	}
	if o.canary == nil || !f.Confirmed {
		return m
	}
	loss, span, err := o.loss(ctx, report)
	if err != nil {
		// The outage is measured, the loss is not: it stays unknown.
		m.LossWhy = err.Error()
		return m
	}
	m.Loss, m.LossLower, m.LossUpper, m.LossCensored = loss, span.Lower, span.Upper, span.Censored
	return m
}

// decisive are the samples of each probe that decides, up to end.
func (o *observer) decisive(end time.Duration) [][]measure.Sample {
	var targets [][]measure.Sample
	for _, p := range o.plan.Probes {
		if p.Primary {
			targets = append(targets, slices.DeleteFunc(slices.Clone(o.samples[p.Name]), func(s measure.Sample) bool { return s.End > end }))
		}
	}
	return targets
}

// versions are the identities seen at the probes, by service, in the order of their first appearance.
func (o *observer) versions() map[string][]string {
	out := map[string][]string{}
	for _, p := range o.plan.Probes {
		for _, s := range o.samples[p.Name] {
			if id := strings.TrimSpace(s.Identity); id != "" && !slices.Contains(out[p.Service], id) {
				out[p.Service] = append(out[p.Service], id)
			}
		}
	}
	return out
}
