package measure

import "time"

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

// Loss compares what was acknowledged with what is present, in the order it was read back.
func Loss(writes []Write, present []int64, outage OutageReport) LossReport { return LossReport{} }
