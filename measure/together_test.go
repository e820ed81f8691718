package measure_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	. "github.com/belay-dr/belay/measure"
)

// several are services that one observer watches.
type several []history

func (all several) samples(r *rand.Rand) [][]Sample {
	var out [][]Sample
	for i := range all {
		out = append(out, all[i].samples(r))
	}
	return out
}

func (all several) end() time.Duration {
	var end time.Duration
	for _, h := range all {
		end = max(end, h.end)
	}
	return end
}

// truth is the true outage of all services between two instants: from the earliest of their own to the latest.
func (all several) truth(from, until time.Duration) (outage down, any bool) {
	for i := range all {
		failing := slices.DeleteFunc(all[i].failing(until, true), func(p probed) bool { return p.Start < from })
		if len(failing) == 0 {
			continue
		}
		own, _ := all[i].truth(failing)
		if !any {
			outage, any = own, true
		}
		outage.from, outage.until = min(outage.from, own.from), max(outage.until, own.until)
	}
	return outage, any
}

// check compares the reports with the truth and says what is wrong with them.
func (all several) check(reports []OutageReport) string {
	if !reports[0].Happened {
		if _, any := all.truth(0, all.end()); any || len(reports) != 1 {
			return "a failing probe, but no outage"
		}
		return ""
	}
	stable := time.Duration(-1 << 60)
	for i, r := range reports {
		until := all.end()
		if !r.Ongoing {
			until = *r.FirstOK
			for n := range all {
				if wrong := all[n].checkWindow(*r.FirstOK, *r.Stable); wrong != "" {
					return fmt.Sprintf("outage %d, service %d: %s", i, n, wrong)
				}
			}
		}
		truth, any := all.truth(stable, until)
		if !any {
			return fmt.Sprintf("outage %d without a failing probe", i)
		}
		if wrong := all[0].contains(r, truth); wrong != "" {
			return fmt.Sprintf("outage %d: %s", i, wrong)
		}
		if t, missed := all.calm(r.FirstFail, r.LastFail); missed {
			return fmt.Sprintf("outage %d goes on over a window at %s", i, t)
		}
		if r.Failing > r.LastFail-r.FirstFail+all[0].setting.period*4+all[0].setting.timeout*2 && r.Gaps == nil && all[0].setting.void == 0 && len(all[0].gaps) == 0 {
			return fmt.Sprintf("failing for %s in a span of %s", r.Failing, r.Span)
		}
		if r.Ongoing {
			return ""
		}
		stable = *r.Stable
	}
	return ""
}

// calm looks for a window between two failing probes in which no service failed. It is generous, so that what it finds should
// have been found, and looks only where nothing hindered the observer.
func (all several) calm(from, until time.Duration) (time.Duration, bool) {
	pace := all[0].setting.pace()
	if all[0].setting.void > 0 || len(all[0].gaps) > 0 {
		return 0, false
	}
	length := pace.Sustained() + pace.Timeout + pace.Grace()
	for _, candidate := range all[0].probes {
		t := candidate.Start
		if candidate.Outcome != OK || t < from || t+length > until {
			continue
		}
		failed := slices.ContainsFunc(all, func(h history) bool {
			return slices.ContainsFunc(h.probes, func(p probed) bool { return p.Outcome == Fail && p.End > t && p.Start < t+length })
		})
		if !failed {
			return t, true
		}
	}
	return 0, false
}

// The bounds of several services together contain the truth in every history.
func TestTogetherContainsTheTruth(t *testing.T) {
	for i, s := range settings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			histories, seed := histories()
			r := rand.New(rand.NewPCG(uint64(i), seed+10))
			relapses, merged, censored := 0, 0, 0
			for n := range histories / 5 {
				all := several(simulateSeveral(r, s, 2+n%2))
				reports := Together(all.samples(r), all[0].gaps, s.pace(), -time.Hour, all.end())
				if wrong := all.check(reports); wrong != "" {
					t.Fatalf("history %d: %s\nreports: %+v\nservices: %+v", n, wrong, reports, all)
				}
				relapses += count(len(reports) > 1)
				censored += count(reports[0].Bounds.Censored)
				merged += count(reports[0].Flaps > 0)
			}
			if relapses == 0 && s.name != "goes on" || censored == histories/5 {
				t.Errorf("%d relapses, %d merged, %d censored of %d: the setting shows nothing", relapses, merged, censored, histories/5)
			}
		})
	}
}

// One target together with none is that target; a target that never fails changes nothing but the window.
func TestTogetherOfOneIsOutages(t *testing.T) {
	for i, s := range settings {
		r := rand.New(rand.NewPCG(uint64(i), 31))
		for n := range 500 {
			h := simulate(r, s)
			samples := h.samples(r)
			want := Outages(samples, h.gaps, s.pace(), -time.Hour, h.end)
			got := Together([][]Sample{samples}, h.gaps, s.pace(), -time.Hour, h.end)
			if len(got) != len(want) {
				t.Fatalf("%s, history %d: %d outages, want %d\n%+v\n%+v", s.name, n, len(got), len(want), got, want)
			}
			for k := range got {
				if !reflect.DeepEqual(got[k], want[k]) {
					t.Fatalf("%s, history %d, outage %d:\n got %+v\nwant %+v", s.name, n, k, got[k], want[k])
				}
			}
		}
	}
}

// Wrong ways to take several services together are caught by the same property.
func TestWrongWaysTogetherAreCaught(t *testing.T) {
	wrong := map[string]func(reports [][]OutageReport) OutageReport{
		"only the first service": func(r [][]OutageReport) OutageReport { return r[0][0] },
		"the latest start": func(r [][]OutageReport) OutageReport {
			u := r[0][0]
			u.Start.Until = max(u.Start.Until, r[1][0].Start.Until)
			u.Start.After = max(u.Start.After, r[1][0].Start.After)
			u.Stop.After, u.Stop.Until = max(u.Stop.After, r[1][0].Stop.After), max(u.Stop.Until, r[1][0].Stop.Until)
			u.Bounds = Bounds{Lower: max(0, u.Stop.After-u.Start.Until), Upper: u.Stop.Until - u.Start.After}
			return u
		},
		"the earliest end": func(r [][]OutageReport) OutageReport {
			u := r[0][0]
			u.Stop.After, u.Stop.Until = min(u.Stop.After, r[1][0].Stop.After), min(u.Stop.Until, r[1][0].Stop.Until)
			u.Start.After, u.Start.Until = min(u.Start.After, r[1][0].Start.After), min(u.Start.Until, r[1][0].Start.Until)
			return u
		},
	}
	caught := map[string]int{}
	s := settings[0]
	r := rand.New(rand.NewPCG(1, 32))
	for range 2000 {
		all := several(simulateSeveral(r, s, 2))
		joint := Together(all.samples(nil), nil, s.pace(), -time.Hour, all.end())
		var own [][]OutageReport
		clean := joint[0].Happened && !joint[0].Bounds.Censored
		for _, samples := range all.samples(nil) {
			reports := Outages(samples, nil, s.pace(), -time.Hour, all.end())
			clean = clean && reports[0].Happened && !reports[0].Bounds.Censored
			own = append(own, reports)
		}
		if !clean {
			continue
		}
		truth, _ := all.truth(-time.Hour, *joint[0].FirstOK)
		for name, way := range wrong {
			caught[name] += count(all[0].contains(way(own), truth) != "")
		}
	}
	for name := range wrong {
		if caught[name] == 0 {
			t.Errorf("%s: never caught", name)
		}
		t.Logf("%s: caught %d times", name, caught[name])
	}
}

// A service that fails, is stable, and fails again had two outages, and the pause between them is in neither.
func TestRelapseIsApart(t *testing.T) {
	pace := Pace{Period: time.Second, Timeout: time.Second, Window: 5 * time.Second}
	var samples []Sample
	for k := range 40 {
		s := Sample{Seq: k, Start: time.Duration(k) * time.Second, Outcome: OK}
		s.End = s.Start + 100*ms
		if k >= 10 && k < 12 || k >= 25 && k < 28 {
			s.Outcome = Fail
		}
		samples = append(samples, s)
	}
	got := Together([][]Sample{samples}, nil, pace, 0, 40*time.Second)
	if len(got) != 2 {
		t.Fatalf("%d outages: %+v", len(got), got)
	}
	first, second := Bounds{Lower: 900 * ms, Upper: 3100 * ms}, Bounds{Lower: 1900 * ms, Upper: 4100 * ms}
	if got[0].Bounds != first || got[1].Bounds != second {
		t.Errorf("bounds %v and %v, want %v and %v", got[0].Bounds, got[1].Bounds, first, second)
	}
	if sum := Total(got); sum != (Bounds{Lower: 2800 * ms, Upper: 7200 * ms}) {
		t.Errorf("together %v", sum)
	}
}
