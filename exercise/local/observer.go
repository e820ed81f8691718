package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
)

// The names of the raw data files.
const (
	samplesFile = "samples.jsonl"
	canaryFile  = "canary.jsonl"
	// readingsFile holds what each reading of the canary's rows found.
	readingsFile = "readings.jsonl"
)

// observer watches from outside: probes and a canary. It keeps every sample and every write, on disk and in memory.
type observer struct {
	plan      exercise.Plan
	folder    string
	clk       clock.Clock
	origin    time.Duration
	edge      func(exercise.Event)
	canary    *canary.Canary
	cancel    context.CancelFunc
	running   sync.WaitGroup
	sampleLog *journal
	writeLog  *journal
	readLog   *journal

	mu       sync.Mutex
	trackers map[string]*measure.Tracker
	samples  map[string][]measure.Sample
	writes   map[int64]measure.Write
	readings []measure.Reading
	gaps     []measure.Gap
	err      error
}

// sampleLine is one line of samples.jsonl: a sample of a target, or a gap.
type sampleLine struct {
	Target string `json:"target,omitempty"`
	*measure.Sample
	Gap *measure.Gap `json:"gap,omitempty"`
}

// newObserver opens the raw data, reads back what an earlier process wrote, and adds the gap that its death left.
func newObserver(p exercise.Plan, folder string, clk clock.Clock, origin time.Duration, edge func(exercise.Event)) (*observer, error) {
	o := &observer{
		plan: p, folder: folder, clk: clk, origin: origin, edge: edge,
		trackers: map[string]*measure.Tracker{}, samples: map[string][]measure.Sample{}, writes: map[int64]measure.Write{},
	}
	for _, probe := range p.Probes {
		o.trackers[probe.Name] = measure.NewTracker(p.Pace, 0)
	}
	if err := o.readBack(); err != nil {
		return nil, err
	}
	var err error
	if o.sampleLog, err = openJournal(filepath.Join(folder, samplesFile)); err != nil {
		return nil, err
	}
	if o.writeLog, err = openJournal(filepath.Join(folder, canaryFile)); err != nil {
		return nil, err
	}
	if o.readLog, err = openJournal(filepath.Join(folder, readingsFile)); err != nil {
		return nil, err
	}
	return o, nil
}

// readBack takes in the samples and writes of an earlier process.
func (o *observer) readBack() error {
	var last time.Duration
	err := readLines(filepath.Join(o.folder, samplesFile), func(line sampleLine) {
		if line.Gap != nil {
			o.gap(*line.Gap)
		} else if line.Sample != nil {
			o.take(line.Target, *line.Sample)
			last = max(last, line.Start)
		}
	})
	if err != nil {
		return fmt.Errorf("read samples: %w", err)
	}
	if err := readLines(filepath.Join(o.folder, canaryFile), func(w measure.Write) { o.writes[w.Seq] = w }); err != nil {
		return fmt.Errorf("read canary writes: %w", err)
	}
	if err := readLines(filepath.Join(o.folder, readingsFile), func(r measure.Reading) { o.readings = append(o.readings, r) }); err != nil {
		return fmt.Errorf("read the canary's readings: %w", err)
	}
	if last > 0 {
		o.gap(measure.Gap{From: last, Until: o.clk.Boot() - o.origin})
	}
	return nil
}

func (o *observer) gap(g measure.Gap) {
	o.gaps = append(o.gaps, g)
	for _, t := range o.trackers {
		t.Gap(g)
	}
}

// take feeds a sample and reports the edges it shows.
func (o *observer) take(target string, s measure.Sample) {
	o.samples[target] = append(o.samples[target], s)
	t := o.trackers[target]
	if t == nil {
		return
	}
	for _, e := range t.Feed(s) {
		o.edge(exercise.Event{Kind: edgeKind(e.Kind), Target: target, At: e.Seen, Text: e.Sample.Reason})
	}
}

func edgeKind(k measure.EdgeKind) exercise.EventKind {
	switch k {
	case measure.EdgeUp:
		return exercise.Up
	case measure.EdgeStable:
		return exercise.Steady
	}
	return exercise.Down
}

// start begins to watch.
func (o *observer) start(ctx context.Context) error {
	ctx, o.cancel = context.WithCancel(ctx)
	var targets []probe.Target
	first := 0
	for _, p := range o.plan.Probes {
		prober, err := probe.Decode("probe", p.Kind, p.Config)
		if err != nil {
			return fmt.Errorf("probe %s: %w", p.Name, err)
		}
		targets = append(targets, probe.Target{Name: p.Name, Prober: prober})
		if n := len(o.samples[p.Name]); n > 0 {
			first = max(first, o.samples[p.Name][n-1].Seq+1)
		}
	}
	if len(o.plan.Canaries) > 0 {
		if err := o.startCanary(ctx); err != nil {
			return err
		}
	}
	w := probe.Watcher{Clock: o.clk, Origin: o.origin, Pace: o.plan.Pace, Sink: o.sink, OnGap: o.sinkGap, FirstSeq: first}
	o.running.Go(func() { w.Run(ctx, targets) })
	return nil
}

func (o *observer) startCanary(ctx context.Context) error {
	c := o.plan.Canaries[0]
	first := int64(1)
	for seq := range o.writes {
		first = max(first, seq+1)
	}
	var err error
	if o.canary, err = canary.Decode(c.Kind, c.Config, o.plan.ID, first); err != nil {
		return fmt.Errorf("canary of %s: %w", c.Service, err)
	}
	o.running.Go(func() {
		if err := o.canary.Run(ctx, o.clk, o.origin, o.plan.Pace, o.journalWrite); err != nil && !errors.Is(err, context.Canceled) {
			o.fail(fmt.Errorf("canary: %w", err))
		}
	})
	return nil
}

// sink keeps one sample. The line is with the kernel before anybody acts on it.
func (o *observer) sink(target string, s measure.Sample) {
	o.fail(o.sampleLog.write(sampleLine{Target: target, Sample: &s}))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.take(target, s)
}

func (o *observer) sinkGap(g measure.Gap) {
	o.fail(o.sampleLog.write(sampleLine{Gap: &g}))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gap(g)
}

// journalWrite keeps one canary write: as intent before it is sent, and again with its end.
func (o *observer) journalWrite(w measure.Write) error {
	if err := o.writeLog.write(w); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes[w.Seq] = w
	return nil
}

func (o *observer) fail(err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

// stop ends the watching and waits for what is in flight.
func (o *observer) stop() {
	if o.cancel != nil {
		o.cancel()
	}
	o.running.Wait()
}
