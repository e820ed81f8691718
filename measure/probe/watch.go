package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

// Target is one probe that is asked again and again.
type Target struct {
	Name   string
	Prober Prober
}

// Sink takes a sample as it ends. Calls never overlap, per watcher.
type Sink func(target string, s measure.Sample)

// Watcher asks its targets at a fixed rate. A slow answer never delays the next question: probes overlap. Every planned probe
// becomes a sample, if need be a void one, except those that fall into a gap.
type Watcher struct {
	Clock  clock.Clock
	Origin time.Duration // Clock.Boot() at the origin of the exercise
	Pace   measure.Pace
	Sink   Sink
	// OnGap, when set, hears of spans in which this process did not run (suspend, stopped, starved). It never overlaps with
	// Sink, and comes before any sample that ends after the gap.
	OnGap func(g measure.Gap)
	// InFlight bounds the probes in flight per target; zero means enough for the pace. A probe beyond it is void.
	InFlight int
	// FirstSeq is the sequence number of the first sample of each target, for an observer that comes back.
	FirstSeq int
}

// Watch runs a Watcher with defaults and returns the gaps it saw.
func Watch(ctx context.Context, clk clock.Clock, origin time.Duration, targets []Target, pace measure.Pace, sink Sink) []measure.Gap {
	var gaps []measure.Gap
	Watcher{Clock: clk, Origin: origin, Pace: pace, Sink: sink, OnGap: func(g measure.Gap) { gaps = append(gaps, g) }}.Run(ctx, targets)
	return gaps
}

// Run asks until ctx is done, then waits for the probes in flight and returns. The first probe starts at once.
// The pace must have a period and a timeout.
func (w Watcher) Run(ctx context.Context, targets []Target) {
	if w.Pace.Period <= 0 || w.Pace.Timeout <= 0 {
		panic(fmt.Sprintf("probe: watch with period %s and timeout %s", w.Pace.Period, w.Pace.Timeout))
	}
	if w.InFlight <= 0 {
		w.InFlight = int((w.Pace.Timeout+w.Pace.Period-1)/w.Pace.Period) + 4
	}
	r := &round{Watcher: w, seen: w.now()}
	for _, t := range targets {
		r.lines = append(r.lines, &line{target: t, slots: make(chan struct{}, w.InFlight)})
	}
	r.tick(ctx)
	r.flying.Wait()
}

func (w Watcher) now() time.Duration { return w.Clock.Boot() - w.Origin }

// round is one run of a Watcher.
type round struct {
	Watcher
	lines  []*line
	flying sync.WaitGroup

	mu   sync.Mutex    // guards Sink, OnGap and seen
	seen time.Duration // when this process was last known to run
}

// line is one target with its free places for probes.
type line struct {
	target Target
	slots  chan struct{}
}

// tick starts a probe of each target at each multiple of the period. It counts by the clock, not by timers, which stand still while
// the machine sleeps.
func (r *round) tick(ctx context.Context) {
	began := r.now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	seq := r.FirstSeq
	for next := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return
		}
		now := r.now()
		due := int((now - began) / r.Pace.Period)
		if due >= next {
			if late := now - began - time.Duration(next)*r.Pace.Period; r.alive(now, late) {
				for ; next < due; next++ {
					r.missed(seq, began+time.Duration(next)*r.Pace.Period, now)
					seq++
				}
			}
			for _, l := range r.lines {
				r.start(ctx, l, seq)
			}
			seq++
			next = due + 1
		}
		timer.Reset(max(0, began+time.Duration(next)*r.Pace.Period-r.now()))
	}
}

// alive notes that the process runs. A tick that comes later than any delay by load explains is a gap, and alive is false.
func (r *round) alive(now, late time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if late > r.Pace.Grace() {
		r.gap(now)
		return false
	}
	r.seen = max(r.seen, now)
	return true
}

// gap reports that nothing ran from when this process was last seen until now, unless that was just reported. Callers hold mu.
func (r *round) gap(now time.Duration) {
	g := measure.Gap{From: r.seen, Until: now}
	r.seen = max(r.seen, now)
	if r.OnGap != nil && g.Until-g.From > r.Pace.Grace() {
		r.OnGap(g)
	}
}

// missed makes a void sample for each target of a probe that the observer was too late to start.
func (r *round) missed(seq int, planned, now time.Duration) {
	for _, l := range r.lines {
		r.deliver(l, measure.Sample{
			Seq: seq, Start: now, End: now, Outcome: measure.Void,
			Reason: fmt.Sprintf("the observer was %s late", now-planned),
		})
	}
}

// start sends one probe off, in a place of its own. The probe outlives ctx: it is allowed to finish.
func (r *round) start(ctx context.Context, l *line, seq int) {
	select {
	case l.slots <- struct{}{}:
	default:
		now := r.now()
		r.deliver(l, measure.Sample{Seq: seq, Start: now, End: now, Outcome: measure.Void, Reason: "too many probes in flight"})
		return
	}
	r.flying.Go(func() {
		defer func() { <-l.slots }()
		r.deliver(l, r.ask(context.WithoutCancel(ctx), l.target.Prober, seq))
	})
}

// ask makes one sample. Start is taken before the first step of the probe and End after its last, so the true moment lies between.
func (r *round) ask(ctx context.Context, p Prober, seq int) measure.Sample {
	ctx, cancel := context.WithTimeout(ctx, r.Pace.Timeout)
	defer cancel()
	start := r.now()
	a := p.Probe(ctx)
	s := measure.Sample{Seq: seq, Start: start, End: r.now(), Outcome: a.Outcome, Reason: a.Reason, Identity: a.Identity, Address: a.Address}
	if s.Outcome == measure.OK && s.End-s.Start > r.Pace.Timeout {
		s.Outcome, s.Reason = measure.Void, "a good answer, but read after the deadline"
	}
	return s
}

// deliver hands a sample on. A sample that ends long after anything else was seen to run, and later than its own deadline allows, betrays a gap
// that the ticks have not noticed yet.
func (r *round) deliver(l *line, s measure.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.End-r.seen > r.Pace.Period+r.Pace.Grace() {
		r.gap(s.End)
	}
	r.seen = max(r.seen, s.End)
	r.Sink(l.target.Name, s)
}
