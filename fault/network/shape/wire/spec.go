// Package wire is the arithmetic of a bad line: packets go in, and come out late, twice, damaged, in another order or not
// at all. It is a machine without a clock, without chance of its own and without any packet's bytes: time and randomness
// are given to it, so that a test sees exactly what a network will. It must never let a packet out before its time, and
// never keep more than its limits. Start at Wire.In and Wire.Out.
package wire

import (
	"fmt"
	"strings"
	"time"
)

// Spec says how bad a line is. The zero Spec is a perfect line.
type Spec struct {
	// Delay is added to every packet. Jitter spreads it evenly over Delay-Jitter to Delay+Jitter. A packet never
	// overtakes the one before it because of jitter.
	Delay  time.Duration `json:"delay,omitempty"`
	Jitter time.Duration `json:"jitter,omitempty"`
	// Loss, Duplicate, Corrupt and Reorder are how many percent of the packets it happens to, each by itself.
	Loss      float64 `json:"loss,omitempty"`
	Duplicate float64 `json:"duplicate,omitempty"`
	Corrupt   float64 `json:"corrupt,omitempty"`
	Reorder   float64 `json:"reorder,omitempty"`
	// ReorderBy is how much later than the others a reordered packet comes.
	ReorderBy time.Duration `json:"reorder_by,omitempty"`
	// Rate is in bits a second, headers of IP included; 0 is no limit. What does not fit into the queue before it is lost.
	Rate int64 `json:"rate,omitempty"`
}

// The bounds of a spec.
const (
	maxDelay = time.Minute
	minRate  = 1000
)

// Check says what is wrong, by field in the words of a playbook.
func (s Spec) Check() map[string]string {
	wrong := map[string]string{}
	span := func(key string, d time.Duration) {
		if d < 0 || d > maxDelay {
			wrong[key] = fmt.Sprintf("%s is not between 0s and %s", d, maxDelay)
		}
	}
	span("delay", s.Delay)
	span("jitter", s.Jitter)
	span("reorder_by", s.ReorderBy)
	share := func(key string, p float64) {
		if !(p >= 0 && p <= 100) {
			wrong[key] = fmt.Sprintf("%v is no percentage", p)
		}
	}
	share("loss", s.Loss)
	share("duplicate", s.Duplicate)
	share("corrupt", s.Corrupt)
	share("reorder", s.Reorder)
	switch {
	case wrong["delay"] == "" && wrong["jitter"] == "" && s.Jitter > s.Delay:
		wrong["jitter"] = fmt.Sprintf("%s is more than the delay of %s: no packet can come before it was sent", s.Jitter, s.Delay)
	case s.Reorder > 0 && s.ReorderBy == 0:
		wrong["reorder_by"] = "say how much later a reordered packet comes, for example 5ms"
	case s.Reorder == 0 && s.ReorderBy > 0:
		wrong["reorder"] = "say how many percent of the packets come later"
	}
	if s.Rate != 0 && s.Rate < minRate {
		wrong["rate"] = fmt.Sprintf("%d bits a second; the least is %d", s.Rate, minRate)
	}
	if len(wrong) == 0 && s == (Spec{}) {
		wrong[""] = "nothing is wrong with such a line: give a delay, loss, duplicate, corrupt, reorder or rate"
	}
	return wrong
}

// String is the spec as a person says it: "delay 100ms ± 10ms, loss 5 %".
func (s Spec) String() string {
	var parts []string
	if s.Delay > 0 {
		p := "delay " + s.Delay.String()
		if s.Jitter > 0 {
			p += " ± " + s.Jitter.String()
		}
		parts = append(parts, p)
	}
	share := func(name string, p float64) {
		if p > 0 {
			parts = append(parts, fmt.Sprintf("%s %v %%", name, p))
		}
	}
	share("loss", s.Loss)
	share("duplicate", s.Duplicate)
	share("corrupt", s.Corrupt)
	if s.Reorder > 0 {
		parts = append(parts, fmt.Sprintf("reorder %v %% by %s", s.Reorder, s.ReorderBy))
	}
	if s.Rate > 0 {
		parts = append(parts, "rate "+bits(s.Rate))
	}
	return strings.Join(parts, ", ")
}

// bits is a rate as people write it.
func bits(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%g Gbit/s", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%g Mbit/s", float64(n)/1e6)
	}
	return fmt.Sprintf("%g kbit/s", float64(n)/1e3)
}
