package local

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure"
)

// readBound is how long reading the canary back may be tried.
const readBound = 10 * time.Second

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
	t := time.NewTimer(s.Plan.Baseline)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return fail(ctx.Err())
	}
	if err := d.observer.healthy(); err != nil {
		return fail(err)
	}
	return exercise.Event{Kind: exercise.CommandDone}
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
	m := o.measured(d.base, c.End, d.now(), s.Fault.Confirmed)
	m.Versions = o.versions()
	m.Files = map[string]string{}
	for name, j := range map[string]*journal{samplesFile: o.sampleLog, canaryFile: o.writeLog} {
		if sum, err := j.digest(); err == nil {
			m.Files[name] = sum
		}
	}
	return exercise.Event{Kind: exercise.CommandDone, Measured: &m}
}

// measured does the arithmetic over everything before end.
func (o *observer) measured(ctx context.Context, end, now time.Duration, broken bool) exercise.Measured {
	if end == 0 {
		end = now
	}
	report := o.outage(end)
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
	if o.canary == nil || !broken {
		return m
	}
	loss, span, err := o.loss(ctx, report)
	if err != nil {
		// The outage is measured, the loss is not: it stays unknown.
		return m
	}
	m.Loss, m.LossLower, m.LossUpper, m.LossCensored = loss, span.Lower, span.Upper, span.Censored
	return m
}

// outage is the time in which any deciding probe failed: from the first failure of any of them to the last.
func (o *observer) outage(end time.Duration) measure.OutageReport {
	var all []measure.OutageReport
	for _, p := range o.plan.Probes {
		if !p.Primary {
			continue
		}
		samples := slices.DeleteFunc(slices.Clone(o.samples[p.Name]), func(s measure.Sample) bool { return s.End > end })
		found := measure.Outages(samples, o.gaps, o.plan.Pace, 0, end)
		if len(found) == 0 {
			found = []measure.OutageReport{measure.Outage(samples, o.gaps, o.plan.Pace, end)}
		}
		all = append(all, found...)
	}
	return union(all)
}

// union is one outage that spans all of the given ones.
func union(all []measure.OutageReport) measure.OutageReport {
	var happened []measure.OutageReport
	var resolution time.Duration
	for _, r := range all {
		resolution = max(resolution, r.Resolution)
		if r.Happened {
			happened = append(happened, r)
		}
	}
	if len(happened) == 0 {
		return measure.OutageReport{Resolution: resolution}
	}
	if len(happened) == 1 {
		return happened[0]
	}
	slices.SortFunc(happened, func(a, b measure.OutageReport) int { return cmp.Compare(a.FirstFail, b.FirstFail) })
	u := happened[0]
	for _, r := range happened[1:] {
		u.Start.After, u.Start.Until = min(u.Start.After, r.Start.After), min(u.Start.Until, r.Start.Until)
		u.Stop.After, u.Stop.Until = max(u.Stop.After, r.Stop.After), max(u.Stop.Until, r.Stop.Until)
		u.LastFail, u.Ongoing = max(u.LastFail, r.LastFail), u.Ongoing || r.Ongoing
		u.Bounds.Censored = u.Bounds.Censored || r.Bounds.Censored
		u.Flaps += r.Flaps
		u.Failing += r.Failing
		if u.FirstOK != nil && (r.FirstOK == nil || *r.FirstOK > *u.FirstOK) {
			u.FirstOK, u.Stable = r.FirstOK, r.Stable
		}
	}
	u.Resolution, u.Span = resolution, u.LastFail-u.FirstFail
	if u.Ongoing {
		u.Bounds.Lower = max(0, u.LastFail-u.Start.Until)
		return u
	}
	u.Bounds.Lower, u.Bounds.Upper = max(0, u.Stop.After-u.Start.Until), u.Stop.Until-u.Start.After
	return u
}

// loss reads the canary back and compares.
func (o *observer) loss(ctx context.Context, outage measure.OutageReport) (*exercise.Loss, measure.Bounds, error) {
	ctx, cancel := context.WithTimeout(ctx, readBound)
	defer cancel()
	var present []int64
	var err error
	for {
		if present, err = o.canary.ReadBack(ctx); err == nil || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(o.plan.Pace.Period):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return nil, measure.Bounds{}, fmt.Errorf("read canary back: %w", err)
	}
	writes := slices.SortedFunc(maps.Values(o.writes), func(a, b measure.Write) int { return cmp.Compare(a.Seq, b.Seq) })
	r := measure.Loss(writes, present, outage)
	if _, err := o.canary.Cleanup(ctx); err != nil {
		o.fail(err)
	}
	return &exercise.Loss{
		Rows: r.Rows, Acked: r.Acked, Unknown: r.Unknown, UnknownKept: r.UnknownKept, Phantoms: r.Phantoms, Duplicates: r.Duplicates,
		Reordered: r.Reordered, Holes: r.Holes, ResolutionMS: float64(r.Resolution.Microseconds()) / 1000,
	}, r.Span, nil
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
