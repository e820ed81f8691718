package local

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure"
)

// readBound is how long reading the canary back may be tried.
const readBound = 10 * time.Second

// read reads the canary's rows and keeps what is there. That it could not is no reason to hold the fault any longer.
func (d *driver) read(ctx context.Context) exercise.Event {
	e := exercise.Event{Kind: exercise.CommandDone}
	if d.observer == nil || d.observer.canary == nil {
		return e
	}
	if err := d.observer.read(ctx, readBound); err != nil {
		e.Kind, e.Text = exercise.CommandFailed, err.Error()
	}
	return e
}

// read reads the canary's rows, again and again until it can or the bound is over, and keeps them, on disk too.
func (o *observer) read(ctx context.Context, bound time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		r := measure.Reading{At: o.clk.Boot() - o.origin}
		var err error
		if r.Present, err = o.canary.ReadBack(ctx); err == nil {
			o.mu.Lock()
			o.readings = append(o.readings, r)
			o.mu.Unlock()
			return o.readLog.write(r)
		}
		select {
		case <-time.After(o.plan.Pace.Period):
		case <-ctx.Done():
			return fmt.Errorf("read canary back: %w", err)
		}
	}
}

// loss reads the canary back once more and compares with all readings: rows may go late, when the fault is taken back or the
// old primary comes back.
func (o *observer) loss(ctx context.Context, outage measure.OutageReport) (*exercise.Loss, measure.Bounds, error) {
	bound := readBound
	if outage.Ongoing {
		bound = min(bound, o.plan.Pace.Grace()) // it is down: waiting brings no answer
	}
	if err := o.read(ctx, bound); err != nil {
		return nil, measure.Bounds{}, err
	}
	writes := slices.SortedFunc(maps.Values(o.writes), func(a, b measure.Write) int { return cmp.Compare(a.Seq, b.Seq) })
	r := measure.LossOver(writes, o.readings, outage)
	if _, err := o.canary.Cleanup(ctx); err != nil {
		o.fail(err)
	}
	return &exercise.Loss{
		Rows: r.Rows, Acked: r.Acked, Unknown: r.Unknown, UnknownKept: r.UnknownKept, Phantoms: r.Phantoms, Duplicates: r.Duplicates,
		Reordered: r.Reordered, Holes: r.Holes, Late: r.Late, Back: r.Back, Readings: len(o.readings),
		ResolutionMS: float64(r.Resolution.Microseconds()) / 1000,
	}, r.Span, nil
}
