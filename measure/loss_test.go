package measure_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/belay-dr/belay/measure"
)

// tornStore is a simulated store that was taken back to an earlier point, and what the canary knows of it.
type tornStore struct {
	writes  []Write
	present []int64
	outage  OutageReport
	rows    int           // truly lost acknowledged writes
	span    time.Duration // true length of the lost time: from the point it was taken back to, to the failure
	holes   int
}

// tear simulates: each write reaches the store at one instant between Sent and Done; what reached it after `back` and before the failure is
// gone; some earlier rows are gone too (holes), some of the unknown reached it, and it serves again later.
func tear(r *rand.Rand, holes bool) tornStore {
	const period, timeout = 100 * ms, 60 * ms
	fails := span(r, 5*time.Second) + time.Second
	back := fails - span(r, 2*time.Second)
	again := fails + span(r, 2*time.Second) + 200*ms
	t := tornStore{span: fails - back}
	t.outage = OutageReport{Happened: true, Start: Interval{After: fails - span(r, 100*ms) - 1, Until: fails + span(r, 100*ms)}}
	var survivorsEnd int64
	var lost []int64
	for seq := int64(1); ; seq++ {
		w := Write{Seq: seq, Sent: time.Duration(seq) * period}
		if w.Sent > again+time.Second {
			break
		}
		reached := w.Sent + span(r, timeout)
		w.Done, w.State = reached+span(r, w.Sent+timeout-reached+1), WriteAcked
		stored := true
		switch {
		case reached >= fails && reached < again:
			stored, w.State = false, WriteFailed
			if r.IntN(2) == 0 {
				w.State = WriteUnknown
			}
		case r.IntN(12) == 0:
			w.State = WriteUnknown
		}
		kept := stored && (reached <= back || reached >= again)
		if holes && kept && reached < back && w.State == WriteAcked && r.IntN(15) == 0 {
			kept = false
		}
		if kept {
			t.present = append(t.present, seq)
		} else if w.State == WriteAcked {
			t.rows++
			lost = append(lost, seq)
		}
		if kept && w.State == WriteAcked && w.Sent < t.outage.Start.Until {
			survivorsEnd = seq
		}
		t.writes = append(t.writes, Write{Seq: seq, Sent: w.Sent, State: WriteIntent}, w)
	}
	for _, seq := range lost {
		t.holes += count(seq < survivorsEnd)
	}
	return t
}

// The span contains the true loss in every history. A hole may lie before the point that the store was taken back to, so with holes
// only the upper bound speaks of that point.
func TestLossBoundsContainTheTruth(t *testing.T) {
	histories, seed := histories()
	r := rand.New(rand.NewPCG(3, seed))
	lossy, wrongCaught := 0, 0
	for n := range histories {
		holes := n%2 == 1
		s := tear(r, holes)
		got := Loss(s.writes, s.present, s.outage)
		if got.Rows != s.rows || got.Holes != s.holes || got.Tail != s.rows-s.holes {
			t.Fatalf("seed %d, history %d: %d rows, %d holes; truly %d, %d", seed, n, got.Rows, got.Holes, s.rows, s.holes)
		}
		if got.Phantoms+got.Foreign+got.Duplicates+got.Reordered > 0 {
			t.Fatalf("seed %d, history %d: found what is not there: %+v", seed, n, got)
		}
		switch {
		case s.rows == 0:
			if got.Span != (Bounds{}) || got.Resolution <= 0 {
				t.Fatalf("seed %d, history %d: nothing lost, but %+v", seed, n, got)
			}
		case !got.Span.Censored && s.span > got.Span.Upper,
			!holes && s.span < got.Span.Lower:
			t.Fatalf("seed %d, history %d: true span %v is not in %v", seed, n, s.span, got.Span)
		default:
			lossy++
			// A tempting wrong formula: from the last survivor to the last lost write.
			last, _ := slices.BinarySearchFunc(s.writes, got.Lost[len(got.Lost)-1], func(w Write, seq int64) int { return int(w.Seq - seq) })
			first, _ := slices.BinarySearchFunc(s.writes, got.Lost[0], func(w Write, seq int64) int { return int(w.Seq - seq) })
			wrongCaught += count(s.span > s.writes[last].Sent-s.writes[first].Sent)
		}
	}
	if lossy < histories/3 || wrongCaught == 0 {
		t.Errorf("%d lossy histories, %d wrong spans caught: the test shows nothing", lossy, wrongCaught)
	}
}

func TestLoss(t *testing.T) {
	at := func(seq int64, state WriteState) Write {
		return Write{Seq: seq, Sent: time.Duration(seq) * time.Second, Done: time.Duration(seq)*time.Second + 100*ms, State: state}
	}
	acked := func(from, until int64) (ws []Write) {
		for seq := from; seq <= until; seq++ {
			ws = append(ws, at(seq, WriteAcked))
		}
		return ws
	}
	down := OutageReport{Happened: true, Start: Interval{After: 5100 * ms, Until: 5400 * ms}}
	for name, c := range map[string]struct {
		writes  []Write
		present []int64
		outage  OutageReport
		want    LossReport
	}{
		"nothing lost, across an outage": {
			append(acked(1, 5), acked(9, 10)...),
			[]int64{1, 2, 3, 4, 5, 9, 10},
			down,
			LossReport{Acked: 7, Resolution: 1100 * ms},
		},
		"a lost tail": {
			append(acked(1, 5), acked(9, 10)...),
			[]int64{1, 2, 9, 10},
			down,
			LossReport{Rows: 3, Tail: 3, Lost: []int64{3, 4, 5}, Acked: 7, Resolution: 1100 * ms, Span: Bounds{Lower: 1900 * ms, Upper: 3400 * ms}},
		},
		"a hole before a survivor": {
			acked(1, 5),
			[]int64{1, 3, 4, 5},
			down,
			LossReport{Rows: 1, Holes: 1, Lost: []int64{2}, Acked: 5, Resolution: 1100 * ms, Span: Bounds{Upper: 4400 * ms}},
		},
		"no survivor before the loss": {
			acked(1, 3), nil, down,
			LossReport{Rows: 3, Tail: 3, Lost: []int64{1, 2, 3}, Acked: 3, Resolution: 2400 * ms, Span: Bounds{Lower: 1900 * ms, Censored: true}},
		},
		"lost without an outage": {
			acked(1, 5),
			[]int64{1, 4, 5},
			OutageReport{},
			LossReport{Rows: 2, Holes: 2, Lost: []int64{2, 3}, Acked: 5, Resolution: 1100 * ms, Span: Bounds{Lower: 900 * ms, Upper: 3100 * ms}},
		},
		"unknown, phantom, foreign, duplicate, reordered": {
			append(acked(1, 3), at(4, WriteUnknown), at(5, WriteUnknown), at(6, WriteFailed), at(7, WriteIntent)),
			[]int64{1, 3, 2, 3, 4, 6, 99},
			OutageReport{},
			LossReport{Acked: 3, Failed: 1, Unknown: 3, UnknownKept: 1, Phantoms: 1, Foreign: 1, Duplicates: 1, Reordered: 1, Resolution: 1100 * ms},
		},
		"a write lost after the service was first down": {
			append(acked(1, 5), acked(7, 7)...),
			[]int64{1, 2, 3},
			down,
			LossReport{Rows: 3, Tail: 3, Lost: []int64{4, 5, 7}, Acked: 6, Resolution: 1100 * ms, Span: Bounds{Lower: 2900 * ms, Upper: 4100 * ms}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Loss(c.writes, c.present, c.outage)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
