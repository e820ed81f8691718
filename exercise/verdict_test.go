package exercise_test

import (
	"strings"
	"testing"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure"
)

// good are the facts of an exercise that passes.
func good() exercise.Facts {
	return exercise.Facts{
		Confirmed: true, Outage: true, RTO: measure.Met, RPO: measure.Met, Procedure: exercise.Followed,
		Attribution: "procedure", Declared: "procedure",
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*exercise.Facts)
		want   exercise.Verdict
		why    string
	}{
		{"all is well", func(*exercise.Facts) {}, exercise.Pass, "the objectives are met"},
		{"no RPO named", func(f *exercise.Facts) { f.RPO = "" }, exercise.Pass, exercise.NoRPO},
		{"no outage, and the platform should absorb it", func(f *exercise.Facts) {
			f.Outage, f.Declared, f.Attribution = false, "platform", "platform"
		}, exercise.Pass, "the objectives are met"},
		{"broken", func(f *exercise.Facts) { f.Broken = "the baseline was bad" }, exercise.Invalid, "the baseline was bad"},
		{"not confirmed", func(f *exercise.Facts) { f.Confirmed = false }, exercise.Invalid, "not seen to take effect"},
		{"never failed", func(f *exercise.Facts) { f.Outage = false }, exercise.Invalid, "never seen to fail"},
		{"RTO missed", func(f *exercise.Facts) { f.RTO = measure.Missed }, exercise.Fail, "the RTO was missed"},
		{"RPO missed", func(f *exercise.Facts) { f.RPO = measure.Missed }, exercise.Fail, "the RPO was missed"},
		{"RTO undecided", func(f *exercise.Facts) { f.RTO = measure.Undecided }, exercise.Inconclusive, "the RTO is undecided"},
		{"RPO undecided", func(f *exercise.Facts) { f.RPO = measure.Undecided }, exercise.Inconclusive, "the RPO is undecided"},
		{"step failed", func(f *exercise.Facts) { f.Failed = "the recovery failed at step x" }, exercise.Fail, "step x"},
		{"not reverted", func(f *exercise.Facts) { f.NotReverted = "the fault was not reverted" }, exercise.Fail, "not reverted"},
		{"residue", func(f *exercise.Facts) { f.Residue = []string{"rule 7"} }, exercise.Fail, "rule 7"},
		{"deviation", func(f *exercise.Facts) { f.Deviations, f.Procedure = 1, exercise.Deviated }, exercise.Fail, "the playbook needs an update"},
		{"stopped in the outage", func(f *exercise.Facts) {
			f.Stopped, f.Censored, f.RTO, f.Procedure = "enough", true, measure.Undecided, exercise.Incomplete
		}, exercise.Inconclusive, "in the middle of the outage"},
		{"stopped in the outage, too late", func(f *exercise.Facts) {
			f.Stopped, f.Censored, f.RTO, f.Procedure = "enough", true, measure.Missed, exercise.Incomplete
		}, exercise.Fail, "the RTO was missed"},
		{"stopped in the outage after a deviation", func(f *exercise.Facts) {
			f.Stopped, f.Censored, f.RTO, f.Procedure, f.Deviations = "enough", true, measure.Undecided, exercise.Deviated, 1
		}, exercise.Inconclusive, "the playbook needs an update"},
		{"stopped after the outage", func(f *exercise.Facts) { f.Stopped, f.Procedure = "enough", exercise.Incomplete }, exercise.Inconclusive, "before the end"},
		{"incomplete", func(f *exercise.Facts) {
			f.Procedure, f.Incomplete = exercise.Incomplete, "the resume procedure ended at x"
		}, exercise.Fail, "ended at x"},
		{"not stable", func(f *exercise.Facts) { f.Censored, f.RTO = true, measure.Undecided }, exercise.Inconclusive, "not stable"},
		{"by the platform", func(f *exercise.Facts) { f.Attribution = "platform" }, exercise.Fail, "came back by platform, and the playbook says by procedure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good()
			c.change(&f)
			verdict, why := exercise.Judge(f)
			if verdict != c.want || !strings.Contains(why, c.why) {
				t.Errorf("got %s (%s), want %s (%s)", verdict, why, c.want, c.why)
			}
		})
	}
}
