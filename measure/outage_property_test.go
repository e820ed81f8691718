package measure_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	. "github.com/belay-dr/belay/measure"
)

// histories per setting; `make torture` looks at many more, from other seeds each time.
func histories() (n int, seed uint64) {
	if os.Getenv("BELAY_TORTURE") == "1" {
		return 100_000, rand.Uint64()
	}
	return 10_000, 20
}

const ms = time.Millisecond

var settings = []setting{
	{name: "short timeout", period: 100 * ms, timeout: 40 * ms, flapLen: 300 * ms, refuse: .5, tail: 12},
	{name: "short timeout, jitter", period: 100 * ms, timeout: 50 * ms, jitter: 20 * ms, flapLen: 300 * ms, refuse: .5, tail: 12},
	{name: "timeout equals period", period: 100 * ms, timeout: 100 * ms, jitter: 10 * ms, flaps: 2, flapLen: 400 * ms, refuse: .3, tail: 14},
	{name: "timeout of five periods", period: 100 * ms, timeout: 500 * ms, flaps: 2, flapLen: 900 * ms, refuse: .2, tail: 25},
	{name: "timeout of five periods, jitter", period: 100 * ms, timeout: 500 * ms, jitter: 40 * ms, flaps: 3, flapLen: 600 * ms, refuse: .5, tail: 25},
	{name: "fast flaps", period: 100 * ms, timeout: 60 * ms, jitter: 5 * ms, flaps: 12, flapLen: 60 * ms, refuse: .7, tail: 14},
	{name: "slow flaps", period: 50 * ms, timeout: 45 * ms, flaps: 4, flapLen: 250 * ms, refuse: .5, tail: 16},
	{name: "goes on", period: 100 * ms, timeout: 150 * ms, flaps: 2, flapLen: 500 * ms, refuse: .5, tail: 3},
	{name: "void probes", period: 100 * ms, timeout: 120 * ms, flaps: 3, flapLen: 400 * ms, refuse: .5, void: .3, tail: 40},
	{name: "gaps", period: 100 * ms, timeout: 70 * ms, jitter: 10 * ms, flaps: 2, flapLen: 500 * ms, refuse: .5, gaps: 3, tail: 40},
	{name: "gaps, void probes, late answers", period: 100 * ms, timeout: 350 * ms, jitter: 30 * ms, flaps: 3, flapLen: 400 * ms, refuse: .3, void: .15, gaps: 4, tail: 50},
}

// The bounds contain the truth in every history, and are no wider than they need to be.
func TestOutageBoundsContainTheTruth(t *testing.T) {
	for i, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			histories, seed := histories()
			r := rand.New(rand.NewPCG(uint64(i), seed))
			happened, censored, widest := 0, 0, 0.0
			for n := range histories {
				h := simulate(r, s)
				report := Outage(h.samples(r), h.gaps, s.pace(), h.end)
				if wrong := h.check(report); wrong != "" {
					t.Fatalf("seed %d, history %d: %s\nreport: %+v\nfailures: %v\ngaps: %v\nprobes: %+v", seed, n, wrong, report, h.downs, h.gaps, h.probes)
				}
				happened += count(report.Happened)
				censored += count(report.Bounds.Censored)
				if !report.Bounds.Censored {
					widest = max(widest, float64(report.Start.Width()+report.Stop.Width())/float64(h.widthLimit()))
				}
			}
			if widest < .8 {
				t.Errorf("the widest bounds are %.2f of the limit: it is not what limits them", widest)
			}
			if happened < histories/20 || censored == happened {
				t.Errorf("%d outages, %d of them censored: the setting shows nothing", happened, censored)
			}
		})
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// check compares a report with the truth and says what is wrong with it.
func (h *history) check(r OutageReport) string {
	if !r.Happened {
		return h.checkUneventful()
	}
	until := h.end
	if !r.Ongoing {
		until = *r.FirstOK
		if wrong := h.checkWindow(*r.FirstOK, *r.Stable); wrong != "" {
			return wrong
		}
	}
	certain := h.failing(until, true)
	if len(certain) == 0 {
		return "an outage without a failing probe"
	}
	truth, components := h.truth(certain)
	if r.Flaps > components-1 {
		return fmt.Sprintf("%d flaps, but %d failures", r.Flaps, components)
	}
	if wrong := h.contains(r, truth); wrong != "" {
		return wrong
	}
	// A failing probe that overlaps a gap may have met the service all the same.
	if truth, _ := h.truth(h.sameOutage(h.failing(until, false), r.FirstFail)); h.contains(r, truth) != "" {
		return "with doubtful probes: " + h.contains(r, truth)
	}
	return h.checkWidth(r)
}

// sameOutage leaves out failing probes that a sustained window parts from the first certain one.
func (h *history) sameOutage(failing []probed, first time.Duration) []probed {
	return slices.DeleteFunc(failing, func(p probed) bool { return h.anyWindow(p.End, first) })
}

// anyWindow says whether the service answered for a whole window somewhere between two instants.
func (h *history) anyWindow(from, until time.Duration) bool {
	for _, p := range h.probes {
		end := p.Start + h.setting.pace().Sustained()
		if p.Outcome == OK && p.Start >= from && end <= until && h.checkWindow(p.Start, end) == "" {
			return true
		}
	}
	return false
}

func (h *history) checkUneventful() string {
	if len(h.failing(h.end, true)) > 0 {
		return "a failing probe, but no outage"
	}
	return ""
}

func (h *history) checkWindow(from, until time.Duration) string {
	if until-from < h.setting.pace().Sustained() {
		return "the window is too short"
	}
	last := from
	for _, p := range h.probes {
		if p.Start < from || p.Start >= until || p.Outcome == Void {
			continue
		}
		if p.Outcome == Fail {
			return "a probe of the window failed"
		}
		last = p.Start
	}
	if until-last > h.setting.pace().Grace() {
		return "nobody looked at the end of the window"
	}
	return ""
}

func (h *history) contains(r OutageReport, truth down) string {
	length := truth.until - truth.from
	switch {
	case r.StartSeen && !(r.Start.After < truth.from && truth.from <= r.Start.Until):
		return fmt.Sprintf("true start %v is not in %v", truth.from, r.Start)
	case !r.Ongoing && !(r.Stop.After < truth.until && truth.until <= r.Stop.Until):
		return fmt.Sprintf("true end %v is not in %v", truth.until, r.Stop)
	case length < r.Bounds.Lower, !r.Bounds.Censored && length > r.Bounds.Upper:
		return fmt.Sprintf("true outage %v is not in %v", length, r.Bounds)
	}
	return ""
}

// checkWidth holds only where the observer looked all the time. Starts that wander by ± j are at most p + 2j apart.
func (h *history) checkWidth(r OutageReport) string {
	if r.Bounds.Censored || h.setting.void > 0 || len(h.gaps) > 0 {
		return ""
	}
	if width := r.Start.Width() + r.Stop.Width(); width > h.widthLimit() {
		return fmt.Sprintf("bounds are %v wide, more than %v", width, h.widthLimit())
	}
	return ""
}

func (h *history) widthLimit() time.Duration {
	p, q := h.setting.period+2*h.setting.jitter, h.setting.timeout
	if q < h.setting.period-2*h.setting.jitter {
		return 2 * (p + q)
	}
	return 2*p + 4*q
}

// mutant is a deliberately wrong way to bound an outage.
type mutant func(ok, failing []probed) (start, stop Interval)

var mutants = map[string]mutant{
	"planned instead of actual starts": func(ok, failing []probed) (Interval, Interval) {
		return formula(planned(ok), planned(failing))
	},
	"the last good answer's end bounds the start": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		first := slices.MinFunc(failing, byStart)
		for _, k := range ok {
			if k.End <= first.Start {
				a.After = max(a.After, k.End)
			}
		}
		return a, b
	},
	"the start of the first failing probe bounds the start": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		a.Until = slices.MinFunc(failing, byStart).Start
		return a, b
	},
	"latest instead of earliest end of the failing probes": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		b.After = slices.MaxFunc(failing, byEnd).End
		return a, b
	},
	"the first good start bounds the end": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		last := slices.MaxFunc(failing, byEnd).End
		for _, k := range ok {
			if k.Start >= last {
				b.Until = min(b.Until, k.Start)
			}
		}
		return a, b
	},
	"good probes that overlap the failing ones count": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		first := slices.MinFunc(failing, byStart).Start
		for _, k := range ok {
			if k.Start <= first+50*ms && k.End >= first {
				a.After = max(a.After, k.Start)
			}
		}
		return a, b
	},
	"good probes count from the last failing start": func(ok, failing []probed) (Interval, Interval) {
		a, b := formula(ok, failing)
		last := slices.MaxFunc(failing, byStart).Start
		for _, k := range ok {
			if k.Start >= last {
				b.Until = min(b.Until, k.End)
			}
		}
		return a, b
	},
}

func byStart(a, b probed) int { return cmp.Compare(a.Start, b.Start) }
func byEnd(a, b probed) int   { return cmp.Compare(a.End, b.End) }

func planned(ps []probed) []probed {
	out := slices.Clone(ps)
	for i := range out {
		out[i].Start = out[i].planned
	}
	return out
}

// formula is the definition, word by word: S in (max{s_k : e_k <= min s_j}, min e_j], E in (max s_j, min{e_k : s_k >= max e_j}].
func formula(ok, failing []probed) (start, stop Interval) {
	firstStart, lastEnd := slices.MinFunc(failing, byStart).Start, slices.MaxFunc(failing, byEnd).End
	start = Interval{After: -time.Hour, Until: slices.MinFunc(failing, byEnd).End}
	stop = Interval{After: slices.MaxFunc(failing, byStart).Start, Until: 1000 * time.Hour}
	for _, k := range ok {
		if k.End <= firstStart {
			start.After = max(start.After, k.Start)
		}
		if k.Start >= lastEnd {
			stop.Until = min(stop.Until, k.End)
		}
	}
	return start, stop
}

// What Outage says is what the definition says; and each wrong formula is caught by the same property, so the property can fail.
func TestWrongFormulasAreCaught(t *testing.T) {
	caught := map[string]int{}
	for i, s := range settings {
		if s.gaps > 0 {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(i), 21))
		for range 1000 {
			h := simulate(r, s)
			report := Outage(h.samples(nil), nil, s.pace(), h.end)
			if !report.Happened || report.Ongoing || !report.StartSeen {
				continue
			}
			ok, failing := h.good(), h.failing(*report.FirstOK, true)
			if start, stop := formula(ok, failing); start != report.Start || stop != report.Stop {
				t.Fatalf("%s: formula says %v %v, Outage says %v %v", s.name, start, stop, report.Start, report.Stop)
			}
			truth, _ := h.truth(failing)
			for name, wrong := range mutants {
				bad := report
				bad.Start, bad.Stop = wrong(ok, failing)
				if h.contains(bad, truth) != "" {
					caught[name]++
				}
			}
		}
	}
	for name := range mutants {
		if caught[name] == 0 {
			t.Errorf("%s: never caught", name)
		}
		t.Logf("%s: caught %d times", name, caught[name])
	}
}

func (h *history) good() []probed {
	var out []probed
	for _, p := range h.probes {
		if p.Outcome == OK {
			out = append(out, p)
		}
	}
	return out
}

// A Tracker fed in the order of completion sees what Outage sees; fed in any order it reports the same.
func TestTrackerAgreesWithOutage(t *testing.T) {
	for i, s := range settings {
		r := rand.New(rand.NewPCG(uint64(i), 22))
		for range 500 {
			h := simulate(r, s)
			want := Outage(h.samples(nil), h.gaps, s.pace(), h.end)
			live, flaps, stable := NewTracker(s.pace(), -time.Hour), 0, []time.Duration{}
			for _, g := range h.gaps {
				live.Gap(g)
			}
			samples := h.samples(r)
			for _, sample := range samples {
				live.Feed(sample)
			}
			want2 := OutageSince(samples, h.gaps, s.pace(), -time.Hour, h.end)
			if got := live.Report(h.end); !reflect.DeepEqual(got, want2) {
				t.Fatalf("%s: any order: got %+v want %+v", s.name, got, want2)
			}

			live = NewTracker(s.pace(), -time.Hour)
			for _, g := range h.gaps {
				live.Gap(g)
			}
			slices.SortStableFunc(samples, func(a, b Sample) int { return cmp.Compare(a.End, b.End) })
			for _, sample := range samples {
				for _, e := range live.Feed(sample) {
					switch {
					case e.Kind == EdgeFlap && len(stable) == 0:
						flaps++
					case e.Kind == EdgeStable:
						stable = append(stable, e.At)
					}
				}
			}
			if want.Happened && flaps != want.Flaps {
				t.Fatalf("%s: tracker saw %d flaps, Outage %d", s.name, flaps, want.Flaps)
			}
			if len(stable) > 0 && (want.Stable == nil || *want.Stable != stable[0]) {
				t.Fatalf("%s: tracker says stable at %v, Outage says %v", s.name, stable[0], want.Stable)
			}
			if len(stable) == 0 && want.Stable != nil && h.end >= *want.Stable+s.timeout+s.pace().Grace() && len(h.gaps) == 0 && s.void == 0 {
				t.Fatalf("%s: tracker never said stable, Outage says %v", s.name, *want.Stable)
			}
		}
	}
}
