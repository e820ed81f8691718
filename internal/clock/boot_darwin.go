package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockMonotonicRaw is mach_continuous_time on macOS: it goes on while the machine sleeps.
const clockMonotonicRaw = 4

func boot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(clockMonotonicRaw, &ts); err != nil {
		panic("clock: CLOCK_MONOTONIC_RAW is missing: " + err.Error())
	}
	return time.Duration(ts.Nano())
}
