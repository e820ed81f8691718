// Package clock is where the rest of Belay gets the time. Durations come from a clock that keeps counting
// while the machine sleeps and never steps (CLOCK_BOOTTIME on Linux); wall time is for display only.
//
// Nothing else in Belay calls time.Now to measure anything. Tests pass a Clock of their own.
package clock

import "time"

// Clock tells the time. Both methods may be called from any goroutine.
type Clock interface {
	// Now is the wall clock, for display and for records. Never subtract two of them.
	Now() time.Time
	// Boot is the time since some fixed instant, counting through suspend; only differences mean anything.
	Boot() time.Duration
}

// System is the real clock of this machine.
type System struct{}

// Now returns the wall clock in UTC.
func (System) Now() time.Time { return time.Now().UTC() }

// Boot returns the time since the machine was started, suspend included.
func (System) Boot() time.Duration { return boot() }

// Bubble is a Clock that follows time.Now, so that it is fake inside a testing/synctest bubble.
type Bubble struct{}

// Now returns time.Now in UTC.
func (Bubble) Now() time.Time { return time.Now().UTC() }

// Boot returns the time since the Unix epoch as time.Now sees it.
func (Bubble) Boot() time.Duration { return time.Duration(time.Now().UnixNano()) }
