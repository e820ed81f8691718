package local

import (
	"context"
	"fmt"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure"
)

// steady waits until every probe that decides has answered for the whole baseline without a failure, up to the plan's limit.
// One probe that times out on a busy machine begins the stretch again; nothing has been broken meanwhile.
func (d *driver) steady(ctx context.Context, p exercise.Plan) (exercise.SteadyState, error) {
	began := d.now()
	limit := max(p.BaselineLimit, p.Baseline+p.Pace.Grace())
	ticker := time.NewTicker(max(time.Millisecond, min(p.Pace.Period, tick/2)))
	defer ticker.Stop()
	for {
		seen, why := d.observer.steady(d.now())
		seen.Watched = d.now() - began
		if err := d.observer.failed(); err != nil {
			return seen, err // waiting mends no full disk
		}
		if why == nil || seen.Watched >= limit {
			return seen, why
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return seen, ctx.Err()
		}
	}
}

// failed is the observer's own error, if it has one.
func (o *observer) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// steady is what the probes that decide have seen so far, and an error while it is not a whole baseline without a failure.
func (o *observer) steady(now time.Duration) (exercise.SteadyState, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var seen exercise.SteadyState
	var why error
	for _, p := range o.plan.Probes {
		if !p.Primary {
			continue
		}
		s := measure.SteadyFor(o.samples[p.Name], o.gaps, o.plan.Pace, now)
		seen.Probes += s.Probes
		seen.Failed += s.Failed
		if (s.For == 0 || s.For < o.plan.Baseline) && why == nil {
			why = o.unsteady(p, s)
		}
	}
	if why == nil {
		why = o.canaryHealthy()
	}
	return seen, why
}

// unsteady says what is wrong with a probe.
func (o *observer) unsteady(p exercise.Probe, s measure.Steadiness) error {
	switch {
	case s.Probes == 0:
		return fmt.Errorf("probe %s has seen no good answer", p.Name)
	case s.Failed == 0:
		return fmt.Errorf("probe %s was not answered for %s without a hole", p.Name, o.plan.Baseline)
	}
	return fmt.Errorf("probe %s failed %d of %d times and was never good for %s: %s", p.Name, s.Failed, s.Probes, o.plan.Baseline, s.Reason)
}

// canaryHealthy says what is wrong with the canary: its latest write must be acknowledged.
func (o *observer) canaryHealthy() error {
	if o.canary == nil {
		return nil
	}
	var last measure.Write
	for _, w := range o.writes {
		if w.State != measure.WriteIntent && w.Seq > last.Seq {
			last = w
		}
	}
	why := last.Reason
	switch {
	case last.State == measure.WriteAcked:
		return nil
	case why == "":
		why = "nothing was written"
	}
	return fmt.Errorf("the latest write of the canary of %s is not acknowledged: %s", o.plan.Canaries[0].Service, why)
}
