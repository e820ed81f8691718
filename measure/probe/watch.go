package probe

import (
	"context"
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

// Watcher asks its targets at a fixed rate. A slow answer never delays the next question.
type Watcher struct {
	Clock  clock.Clock
	Origin time.Duration // Clock.Boot() at the origin of the exercise
	Pace   measure.Pace
	Sink   Sink
	// OnGap, when set, hears of spans in which this process did not run (suspend, stopped, starved).
	OnGap func(g measure.Gap)
	// InFlight bounds the probes in flight per target; zero means enough for the pace. A probe beyond it is void.
	InFlight int
	// FirstSeq is the sequence number of the first sample of each target, for an observer that comes back.
	FirstSeq int
}

// Run asks until ctx is done, then waits for the probes in flight and returns.
func (w Watcher) Run(ctx context.Context, targets []Target) {}

// Watch runs a Watcher with defaults and returns the gaps it saw.
func Watch(ctx context.Context, clk clock.Clock, origin time.Duration, targets []Target, pace measure.Pace, sink Sink) []measure.Gap {
	var gaps []measure.Gap
	Watcher{Clock: clk, Origin: origin, Pace: pace, Sink: sink, OnGap: func(g measure.Gap) { gaps = append(gaps, g) }}.Run(ctx, targets)
	return gaps
}
