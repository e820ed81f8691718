package measure

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// LossReport is what a canary found missing after a recovery.
type LossReport struct {
	// Rows is how many acknowledged writes are absent.
	Rows int `json:"rows"`
	// Span bounds the lost time: from the point the data was taken back to, to the start of the outage.
	// Nothing lost: [0, 0] (see Resolution). Censored when no write survived before the first loss.
	Span Bounds `json:"span"`
	// Lost are the sequence numbers.
	Lost []int64 `json:"lost,omitempty"`
	// Holes are lost writes followed by a survivor that was sent before the outage; Tail is the rest of Rows.
	Holes int `json:"holes"`
	Tail  int `json:"tail"`

	// Late is how many of Rows were lost after the first reading: they were seen there, or sent after it. Back is how many of
	// Rows were absent from an earlier reading and are there in the last: they were lost for some time.
	Late int `json:"late"`
	Back int `json:"back"`

	// Acked, Failed and Unknown count the writes; UnknownKept is how many of the unknown are present.
	Acked       int `json:"acked"`
	Failed      int `json:"failed"`
	Unknown     int `json:"unknown"`
	UnknownKept int `json:"unknown_kept"`
	// Phantoms were refused and are present all the same.
	Phantoms int `json:"phantoms"`
	// Foreign are present and were never sent by this writer.
	Foreign int `json:"foreign"`
	// Duplicates are present more than once; Reordered come after a higher number.
	Duplicates int `json:"duplicates"`
	Reordered  int `json:"reordered"`

	// Resolution is the longest gap between acknowledged writes before the outage and after it: a loss within such a gap cannot be seen.
	Resolution time.Duration `json:"resolution_ns"`
}

// Reading is one reading of the canary's rows: when it began, and the numbers in the order in which they were read.
type Reading struct {
	At      time.Duration `json:"at_ns"`
	Present []int64       `json:"present"`
}

// Loss compares what was acknowledged with what is present, in the order it was read back. The outage says when the service
// stopped; without one (Happened is false) the span reaches to the next survivor.
func Loss(writes []Write, present []int64, outage OutageReport) LossReport {
	return LossOver(writes, []Reading{{At: math.MaxInt64, Present: present}}, outage)
}

// LossOver is Loss over several readings in the order in which they were made; without any it is the zero report. It takes the worst of them: a write is lost
// when any reading that began after its acknowledgement does not have it. All else is said of the last reading.
func LossOver(writes []Write, readings []Reading, outage OutageReport) LossReport {
	var r LossReport
	if len(readings) == 0 {
		return r
	}
	last := readings[len(readings)-1]
	count := r.countPresent(last.Present)
	earlier := seenIn(readings[:len(readings)-1])
	var acked []Write
	for _, w := range settled(writes) {
		n := count[w.Seq]
		delete(count, w.Seq)
		switch w.State {
		case WriteAcked:
			if w.Done > last.At {
				continue // nobody looked after it
			}
			r.Acked++
			acked = append(acked, w)
			r.lose(w, n > 0, readings, earlier)
		case WriteFailed:
			r.Failed++
			if n > 0 {
				r.Phantoms++
			}
		default:
			r.Unknown++
			if n > 0 {
				r.UnknownKept++
			}
		}
	}
	r.Foreign = len(count)
	r.Rows = len(r.Lost)
	r.Resolution = writeResolution(acked, outage)
	if r.Rows > 0 {
		r.bound(acked, outage)
	}
	return r
}

// lose notes an acknowledged write that some reading does not have. earlier are the numbers in each reading but the last.
func (r *LossReport) lose(w Write, kept bool, readings []Reading, earlier []map[int64]bool) {
	missed, seen := false, false
	for i, numbers := range earlier {
		if w.Done <= readings[i].At {
			missed = missed || !numbers[w.Seq]
			seen = seen || numbers[w.Seq]
		}
	}
	switch {
	case !kept:
		r.Lost = append(r.Lost, w.Seq)
		if len(earlier) > 0 && (seen || w.Sent > readings[0].At) {
			r.Late++
		}
	case missed:
		r.Lost = append(r.Lost, w.Seq)
		r.Back++
	}
}

// seenIn are the numbers in each reading.
func seenIn(readings []Reading) []map[int64]bool {
	var sets []map[int64]bool
	for _, reading := range readings {
		set := make(map[int64]bool, len(reading.Present))
		for _, seq := range reading.Present {
			set[seq] = true
		}
		sets = append(sets, set)
	}
	return sets
}

// countPresent counts each number and notes duplicates and disorder.
func (r *LossReport) countPresent(present []int64) map[int64]int {
	count := make(map[int64]int, len(present))
	highest := int64(math.MinInt64)
	for _, seq := range present {
		count[seq]++
		switch {
		case count[seq] > 1:
			r.Duplicates++
		case seq < highest:
			r.Reordered++
		}
		highest = max(highest, seq)
	}
	return count
}

// settled gives each write once, with its last word, in the order of the numbers. A journal holds the intent first and
// the end later; an intent without an end is unknown.
func settled(writes []Write) []Write {
	last := make(map[int64]Write, len(writes))
	for _, w := range writes {
		if known, ok := last[w.Seq]; !ok || known.State == WriteIntent {
			last[w.Seq] = w
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b Write) int { return cmp.Compare(a.Seq, b.Seq) })
}

// bound finds the span of the loss and tells holes from the tail. Acked writes are in the order of their numbers.
func (r *LossReport) bound(acked []Write, outage OutageReport) {
	lost := make(map[int64]bool, len(r.Lost))
	for _, seq := range r.Lost {
		lost[seq] = true
	}
	var first, last Write // of the lost ones
	anyLost := false
	var before, after, lastEarly *Write // survivors: before the first loss, after the last, the last one sent before the outage
	for i, w := range acked {
		switch {
		case lost[w.Seq]:
			if !anyLost {
				first, anyLost = w, true
			}
			last, after = w, nil
		default:
			if !anyLost {
				before = &acked[i]
			}
			if after == nil {
				after = &acked[i]
			}
			if !outage.Happened || w.Sent < outage.Start.Until {
				lastEarly = &acked[i]
			}
		}
	}
	for _, seq := range r.Lost {
		if lastEarly != nil && seq < lastEarly.Seq {
			r.Holes++
		}
	}
	r.Tail = r.Rows - r.Holes
	r.Span.Lower = max(0, last.Sent-first.Done)
	until, known := lossUntil(last, after, outage)
	if before == nil || !known {
		r.Span.Censored = true
		return
	}
	r.Span.Upper = max(r.Span.Lower, until-before.Sent)
}

// lossUntil is the latest instant up to which data can have been lost. A write that was acknowledged and lost after the
// outage began (the service flapped, or writes outlived reads) moves it.
func lossUntil(last Write, after *Write, outage OutageReport) (time.Duration, bool) {
	switch {
	case outage.Happened:
		return max(outage.Start.Until, last.Done), true
	case after != nil:
		return after.Done, true
	}
	return 0, false
}

// writeResolution is the longest time between two acknowledged writes, from before the first was taken to after the second was. The outage
// itself, in which nothing could be written, does not count.
func writeResolution(acked []Write, outage OutageReport) time.Duration {
	var worst time.Duration
	for i := 1; i < len(acked); i++ {
		a, b := acked[i-1], acked[i]
		if outage.Happened && a.Sent < outage.Start.Until && b.Done > outage.Start.Until {
			worst = max(worst, outage.Start.Until-a.Sent)
			continue
		}
		worst = max(worst, b.Done-a.Sent)
	}
	if n := len(acked); n > 0 && outage.Happened && acked[n-1].Sent < outage.Start.Until {
		worst = max(worst, outage.Start.Until-acked[n-1].Sent)
	}
	return worst
}
