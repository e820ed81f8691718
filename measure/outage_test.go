package measure_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/belay-dr/belay/measure"
)

// strip makes one sample per period from a word: o ok, x fail, v void, . nobody looked. Each takes half a period.
func strip(word string, period time.Duration) []Sample {
	outcomes := map[rune]Outcome{'o': OK, 'x': Fail, 'v': Void}
	var out []Sample
	for i, r := range word {
		if outcome, ok := outcomes[r]; ok {
			start := time.Duration(i) * period
			out = append(out, Sample{Seq: i, Start: start, End: start + period/2, Outcome: outcome})
		}
	}
	return out
}

func TestOutage(t *testing.T) {
	const p = time.Second
	pace := Pace{Period: p, Timeout: p / 2, Window: 3 * p}
	half := func(n float64) time.Duration { return time.Duration(n * float64(p)) }
	type verdict struct {
		Happened, Ongoing bool
		Bounds            Bounds
		Flaps, Relapses   int
		Resolution        time.Duration
	}
	for _, c := range []struct {
		name, word string
		gaps       []Gap
		want       verdict
	}{
		{"nothing failed", "oooooo", nil, verdict{Resolution: half(1.5)}},
		{"one outage", "oooxxxooooo", nil, verdict{Happened: true, Bounds: Bounds{Lower: half(1.5), Upper: half(4.5)}, Resolution: half(1.5)}},
		{"one failing probe", "oooxoooo", nil, verdict{Happened: true, Bounds: Bounds{Upper: half(2.5)}, Resolution: half(1.5)}},
		{"the window is not over", "oooxxxoo", nil, verdict{Happened: true, Ongoing: true, Bounds: Bounds{Lower: half(1.5), Censored: true}, Resolution: half(1.5)}},
		{"still failing", "oooxxxx", nil, verdict{Happened: true, Ongoing: true, Bounds: Bounds{Lower: half(2.5), Censored: true}, Resolution: half(1.5)}},
		{"a flap restarts the window", "oooxxooxooooo", nil, verdict{Happened: true, Flaps: 1, Bounds: Bounds{Lower: half(3.5), Upper: half(6.5)}, Resolution: half(1.5)}},
		{"a relapse is another outage", "oooxxoooooxooooo", nil, verdict{Happened: true, Relapses: 1, Bounds: Bounds{Lower: half(.5), Upper: half(3.5)}, Resolution: half(1.5)}},
		{"failing from the first probe", "xxxooooo", nil, verdict{Happened: true, Bounds: Bounds{Lower: half(1.5), Censored: true}, Resolution: half(1.5)}},
		{"void probes widen the start", "oovvxxooooo", nil, verdict{Happened: true, Bounds: Bounds{Lower: half(.5), Upper: half(5.5)}, Resolution: half(3.5)}},
		{"a void run restarts the window", "oooxxoovvvoo", nil, verdict{Happened: true, Ongoing: true, Bounds: Bounds{Lower: half(.5), Censored: true}, Resolution: half(4.5)}},
		{"a gap at the end widens it", "oooxx....ooooo", []Gap{{half(4.6), half(8.9)}}, verdict{Happened: true, Bounds: Bounds{Lower: half(.5), Upper: half(7.5)}, Resolution: half(5.5)}},
		{"a gap hides all failures", "ooxxoooo", []Gap{{half(1.9), half(3.9)}}, verdict{Resolution: half(3.5)}},
		{"a gap casts doubt on the first", "ooxxxoooo", []Gap{{half(1.9), half(2.9)}}, verdict{Happened: true, Bounds: Bounds{Lower: half(.5), Upper: half(4.5)}, Resolution: half(2.5)}},
		{"nobody ever looked", "", nil, verdict{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var end time.Duration
			samples := strip(c.word, p)
			if n := len(samples); n > 0 {
				end = samples[n-1].End
			}
			r := Outage(samples, c.gaps, pace, end)
			got := verdict{r.Happened, r.Ongoing, r.Bounds, r.Flaps, r.Relapses, r.Resolution}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutageSinceLeavesTheBaselineOut(t *testing.T) {
	samples := strip("oxooxxooooooo", time.Second)
	pace := Pace{Period: time.Second, Timeout: time.Second / 2}
	all := OutageSince(samples, nil, pace, -time.Second, 13*time.Second)
	since := OutageSince(samples, nil, pace, 3*time.Second, 13*time.Second)
	if all.FirstFail != time.Second || since.FirstFail != 4*time.Second || since.LastFail != 5*time.Second {
		t.Errorf("first failures %v and %v", all.FirstFail, since.FirstFail)
	}
	if since.Start.After != 3*time.Second {
		t.Errorf("good answers of the baseline must count: %+v", since.Start)
	}
}

func TestGapsThatWidenedAreNamed(t *testing.T) {
	samples := strip("oooxx....ooooo", time.Second)
	explicit := Gap{From: 4600 * ms, Until: 8900 * ms}
	r := Outage(samples, []Gap{explicit}, Pace{Period: time.Second, Timeout: time.Second / 2}, 14*time.Second)
	want := []Gap{{From: 4 * time.Second, Until: 9 * time.Second}, explicit}
	if diff := cmp.Diff(want, r.Gaps); diff != "" {
		t.Error(diff)
	}
}

func TestTrackerEdges(t *testing.T) {
	live := NewTracker(Pace{Period: time.Second, Timeout: time.Second / 2}, -time.Hour)
	var kinds []EdgeKind
	states := map[int]State{}
	for i, s := range strip("oooxxoxoooooo", time.Second) {
		for _, e := range live.Feed(s) {
			kinds = append(kinds, e.Kind)
		}
		states[i] = live.State()
	}
	if want := []EdgeKind{EdgeDown, EdgeUp, EdgeFlap, EdgeUp, EdgeStable}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("edges %v, want %v", kinds, want)
	}
	for i, want := range map[int]State{2: StateUp, 3: StateDown, 5: StateRecovering, 6: StateDown, 8: StateRecovering, 12: StateStable} {
		if states[i] != want {
			t.Errorf("after sample %d: %s, want %s", i, states[i], want)
		}
	}
}

func FuzzSample(f *testing.F) {
	f.Add([]byte(`{"seq":1,"start_ns":5,"end_ns":9,"outcome":"fail","reason":"timeout"}`))
	f.Add([]byte(`{"outcome":"?","start_ns":-9223372036854775808,"end_ns":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sample
		if json.Unmarshal(b, &s) != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Sample
		if err := json.Unmarshal(again, &back); err != nil || back != s {
			t.Fatalf("%+v came back as %+v (%v)", s, back, err)
		}
		Outage([]Sample{s, s}, []Gap{{s.Start, s.End}}, Pace{Period: 1, Timeout: 1}, s.End)
	})
}

func BenchmarkOutage100k(b *testing.B) {
	samples := make([]Sample, 100_000)
	for i := range samples {
		start := time.Duration(i) * 100 * ms
		samples[i] = Sample{Seq: i, Start: start, End: start + 30*ms, Outcome: OK}
		if i > 40_000 && i < 60_000 {
			samples[i].Outcome = Fail
		}
	}
	for b.Loop() {
		Outage(samples, nil, Pace{Period: 100 * ms, Timeout: 50 * ms}, 10_000*time.Second)
	}
	b.ReportMetric(float64(len(samples)*b.N)/b.Elapsed().Seconds(), "samples/s")
}
