package measure_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/belay-dr/belay/measure"
)

// rejoined is a store that loses rows when it fails, and again when its old primary comes back, and what the canary knows.
type rejoined struct {
	tornStore
	readings []Reading
	late     int // truly lost after the first reading
	back     int // truly absent for some time only
}

// rejoin lets the old primary come back after the first reading: some rows that were there go, some that were gone are there again.
func rejoin(r *rand.Rand) rejoined {
	s := rejoined{tornStore: tear(r, false)}
	first := Reading{At: s.writes[len(s.writes)-1].Sent - span(r, time.Second), Present: []int64{}}
	var last []int64
	for _, w := range s.writes {
		there := slices.Contains(s.present, w.Seq)
		if w.State == WriteIntent {
			continue
		}
		// The first reading sees what had been acknowledged when it began; of the rest, it may.
		if there && (w.Done <= first.At || w.Sent < first.At && r.IntN(2) == 0) {
			first.Present = append(first.Present, w.Seq)
		}
		after := there
		switch {
		case there && r.IntN(10) == 0:
			after = false
			if w.State == WriteAcked && (w.Done <= first.At || w.Sent > first.At) {
				s.late++
			}
		case !there && w.State == WriteAcked && w.Done <= first.At && r.IntN(5) == 0:
			after = true
			s.back++
		}
		if w.State == WriteAcked && there && !after {
			s.rows++
		}
		if after {
			last = append(last, w.Seq)
		}
	}
	s.readings = []Reading{first, {At: time.Hour, Present: last}}
	return s
}

// Every row that any reading misses is lost, whichever reading it was, and no other row is.
func TestLateLossIsFound(t *testing.T) {
	histories, seed := histories()
	r := rand.New(rand.NewPCG(4, seed))
	late, back, inFlight := 0, 0, 0
	for n := range histories {
		s := rejoin(r)
		got := LossOver(s.writes, s.readings, s.outage)
		if got.Rows != s.rows || got.Back != s.back {
			t.Fatalf("seed %d, history %d: %d rows, %d back; truly %d, %d\n%+v", seed, n, got.Rows, got.Back, s.rows, s.back, s)
		}
		// A row that was being written while the first reading was made may be late or not.
		if got.Late > s.late+s.doubtful() || got.Late < s.late {
			t.Fatalf("seed %d, history %d: %d late, truly %d", seed, n, got.Late, s.late)
		}
		once := Loss(s.writes, s.readings[1].Present, s.outage)
		if once.Rows != got.Rows-got.Back || !once.Span.Censored && !got.Span.Censored && once.Span.Upper > got.Span.Upper {
			t.Fatalf("seed %d, history %d: one reading says %+v, two say %+v", seed, n, once, got)
		}
		late, back, inFlight = late+count(s.late > 0), back+count(s.back > 0), inFlight+s.doubtful()
	}
	if late < histories/3 || back < histories/10 || inFlight == 0 {
		t.Errorf("%d late, %d back, %d in flight: the test shows nothing", late, back, inFlight)
	}
}

// doubtful counts the rows that were being written when the first reading began.
func (s rejoined) doubtful() int {
	n := 0
	for _, w := range s.writes {
		n += count(w.State == WriteAcked && w.Sent <= s.readings[0].At && w.Done > s.readings[0].At)
	}
	return n
}

func TestLossWithoutAReadingIsNothing(t *testing.T) {
	if got := LossOver([]Write{{Seq: 1, State: WriteAcked}}, nil, OutageReport{}); got.Acked != 0 || got.Rows != 0 {
		t.Errorf("%+v", got)
	}
}
