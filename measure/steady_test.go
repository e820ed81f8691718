package measure_test

import (
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/belay-dr/belay/measure"
)

func TestSteadyFor(t *testing.T) {
	pace := Pace{Period: time.Second, Timeout: time.Second, Window: 5 * time.Second}
	probes := func(outcomes string) []Sample {
		var out []Sample
		for k, c := range outcomes {
			s := Sample{Seq: k, Start: time.Duration(k) * time.Second, Outcome: OK}
			s.End = s.Start + 100*ms
			switch c {
			case 'F':
				s.Outcome, s.Reason = Fail, "status 500"
			case 'T':
				s.Outcome, s.Reason, s.End = Fail, "timeout", s.Start+1500*ms
			case 'v':
				s.Outcome = Void
			}
			out = append(out, s)
		}
		return out
	}
	for name, c := range map[string]struct {
		probes string
		gaps   []Gap
		late   time.Duration
		want   Steadiness
	}{
		"nothing yet":                          {"", nil, 0, Steadiness{}},
		"always good":                          {"......", nil, 0, Steadiness{Probes: 6, For: 5100 * ms}},
		"one failure":                          {"..F...", nil, 0, Steadiness{Probes: 6, Failed: 1, Reason: "status 500", For: 2100 * ms}},
		"a timeout outlasts the next probe":    {"..T...", nil, 0, Steadiness{Probes: 6, Failed: 1, Reason: "timeout", For: 1100 * ms}},
		"the last word is a failure":           {"....F", nil, 0, Steadiness{Probes: 5, Failed: 1, Reason: "status 500"}},
		"down all the time":                    {"FFFF", nil, 0, Steadiness{Probes: 4, Failed: 4, Reason: "status 500"}},
		"void probes alone":                    {"vvv", nil, 0, Steadiness{}},
		"one void probe is no hole":            {"..v..", nil, 0, Steadiness{Probes: 4, For: 4100 * ms}},
		"a hole":                               {"..vvv..", nil, 0, Steadiness{Probes: 4, For: 1100 * ms}},
		"a gap that was reported":              {"......", []Gap{{2500 * ms, 2600 * ms}}, 0, Steadiness{Probes: 6, For: 2100 * ms}},
		"nobody has looked for a long time":    {"......", nil, 10 * time.Second, Steadiness{Probes: 6}},
		"a gap since the last probe is a hole": {"......", []Gap{{5200 * ms, 5300 * ms}}, 400 * ms, Steadiness{Probes: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			samples := probes(c.probes)
			now := c.late
			for _, s := range samples {
				now = max(now, s.End+c.late)
			}
			if got := SteadyFor(samples, c.gaps, pace, now); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// Whatever the order of the answers: no failing probe overlaps a stretch that is called steady.
func TestNoFailureIsSteady(t *testing.T) {
	for i, s := range settings {
		r := rand.New(rand.NewPCG(uint64(i), 33))
		steady := 0
		for range 1000 {
			h := simulate(r, s)
			now := span(r, h.end)
			var seen []Sample
			for _, sample := range h.samples(r) {
				if sample.End <= now {
					seen = append(seen, sample)
				}
			}
			got := SteadyFor(seen, h.gaps, s.pace(), now)
			steady += count(got.For > 0)
			var until time.Duration
			for _, sample := range seen {
				if sample.Outcome == OK {
					until = max(until, sample.End)
				}
			}
			for _, sample := range seen {
				if got.For > 0 && sample.Outcome == Fail && sample.End > until-got.For {
					t.Fatalf("%s: steady for %s at %s, but %+v", s.name, got.For, now, sample)
				}
			}
		}
		if steady == 0 {
			t.Errorf("%s: never steady", s.name)
		}
	}
}
