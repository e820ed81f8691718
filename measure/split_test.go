package measure_test

import (
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/belay-dr/belay/measure"
)

func sec(n float64) *time.Duration {
	d := time.Duration(n * float64(time.Second))
	return &d
}

func TestSplit(t *testing.T) {
	for name, c := range map[string]struct {
		at      Instants
		want    Split
		biggest string
	}{
		"by the procedure": {
			Instants{Fault: sec(0), FirstFail: sec(1), Detected: sec(2), Declared: sec(4), FirstStep: sec(5), ProcedureEnd: sec(15), FirstOK: sec(16), Stable: sec(19)},
			Split{Detect: sec(1), Declare: sec(2), Decide: sec(1), Execute: sec(10), Verify: sec(1), Stabilise: sec(3)},
			"execute",
		},
		"it answers before the last step": {
			Instants{FirstFail: sec(1), Detected: sec(2), Declared: sec(4), FirstStep: sec(5), ProcedureEnd: sec(15), FirstOK: sec(9), Stable: sec(19)},
			Split{Detect: sec(1), Declare: sec(2), Decide: sec(1), Execute: sec(4), Verify: sec(6), Stabilise: sec(4)},
			"verify",
		},
		"stable before the last step": {
			Instants{FirstFail: sec(1), Detected: sec(2), Declared: sec(4), FirstStep: sec(5), ProcedureEnd: sec(30), FirstOK: sec(9), Stable: sec(19)},
			Split{Detect: sec(1), Declare: sec(2), Decide: sec(1), Execute: sec(4), Verify: sec(21), Stabilise: sec(0)},
			"verify",
		},
		"the platform did it": {
			Instants{FirstFail: sec(1), Detected: sec(2), FirstOK: sec(9), Stable: sec(19)},
			Split{Detect: sec(1), Stabilise: sec(10)},
			"stabilise",
		},
		"announced: declared before the first failure": {
			Instants{Fault: sec(0), FirstFail: sec(3), Detected: sec(1), Declared: sec(2), FirstStep: sec(4), ProcedureEnd: sec(5)},
			Split{Detect: sec(0), Declare: sec(0), Decide: sec(1)},
			"decide",
		},
		"no failure was seen":  {Instants{Fault: sec(2), Detected: sec(5)}, Split{Detect: sec(3)}, "detect"},
		"nothing is known yet": {Instants{}, Split{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := SplitOf(c.at)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if part, _ := got.Biggest(); part != c.biggest {
				t.Errorf("biggest is %q, want %q", part, c.biggest)
			}
		})
	}
}

// Whatever the order of the instants, no part is negative, and a full split adds up.
func TestSplitAddsUp(t *testing.T) {
	check := func(ms [8]uint16, missing uint8) bool {
		var at [8]*time.Duration
		for i := range at {
			if missing&(1<<i) == 0 {
				d := time.Duration(ms[i]) * time.Millisecond
				at[i] = &d
			}
		}
		i := Instants{at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]}
		s := SplitOf(i)
		for _, p := range []*time.Duration{s.Detect, s.Declare, s.Decide, s.Execute, s.Verify, s.Stabilise} {
			if p != nil && *p < 0 {
				return false
			}
		}
		if missing == 0 {
			last := *i.FirstFail
			for _, p := range at[1:] {
				last = max(last, *p)
			}
			return s.Total() == last-*i.FirstFail
		}
		return true
	}
	for _, missing := range []uint8{0, 1, 2, 32, 64, 33, 255} {
		if err := quick.Check(func(ms [8]uint16) bool { return check(ms, missing) }, nil); err != nil {
			t.Errorf("missing %b: %v", missing, err)
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		b         Bounds
		objective time.Duration
		want      Verdict
	}{
		{Bounds{Lower: 1, Upper: 5}, 5, Met},
		{Bounds{Lower: 1, Upper: 6}, 5, Undecided},
		{Bounds{Lower: 5, Upper: 9}, 5, Undecided},
		{Bounds{Lower: 6, Upper: 9}, 5, Missed},
		{Bounds{Lower: 1, Censored: true}, 5, Undecided},
		{Bounds{Lower: 6, Censored: true}, 5, Missed},
		{Bounds{}, 0, Met},
	} {
		if got := Judge(c.b, c.objective); got != c.want {
			t.Errorf("%+v against %d: %s, want %s", c.b, c.objective, got, c.want)
		}
	}
}

func TestRatios(t *testing.T) {
	var samples []Sample
	for i := range 20 {
		s := Sample{Seq: i, Start: time.Duration(i) * ms, End: time.Duration(i+1) * ms, Outcome: OK}
		if i >= 8 && i < 12 {
			s.Outcome = Fail
		}
		if i == 9 {
			s.Outcome = Void
		}
		samples = append(samples, s)
	}
	got := Ratios(samples, 4*ms, 4*ms)
	want := []Ratio{
		{From: 0, Until: 4 * ms, OK: 4, Total: 4},
		{From: 4 * ms, Until: 8 * ms, OK: 4, Total: 4},
		{From: 8 * ms, Until: 12 * ms, OK: 0, Total: 3},
		{From: 12 * ms, Until: 16 * ms, OK: 4, Total: 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if share := got[2].Share(); share != 0 {
		t.Errorf("share %v", share)
	}
	if wide := Ratios(samples, 4*ms, 10*ms); len(wide) != 2 || wide[1].OK != 2 || wide[1].Total != 4 {
		t.Errorf("steps wider than the window: %+v", wide)
	}
	if got := Ratios(nil, ms, ms); got != nil {
		t.Errorf("%v from nothing", got)
	}
}
