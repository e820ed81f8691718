package local

import (
	"errors"
	"syscall"
	"time"
)

// EndGroup ends every process of a group that an earlier process started: politely first, then for certain. The caller has
// made sure that the group is still the one that it means.
func EndGroup(group int) { endGroup(group, grace) }

// endGroup ends every process of a group: politely first when there is time for it, then for certain. It returns when
// the group is empty, or when the kernel has been told to kill all that is left of it.
func endGroup(group int, polite time.Duration) {
	if polite > 0 && syscall.Kill(-group, syscall.SIGTERM) == nil {
		// A stopped process takes the signal only once it goes on.
		_ = syscall.Kill(-group, syscall.SIGCONT)
		if emptied(group, polite) {
			return
		}
	}
	if syscall.Kill(-group, syscall.SIGKILL) == nil {
		emptied(group, time.Second)
	}
}

// emptied waits until no process of the group is left, but no longer than limit.
func emptied(group int, limit time.Duration) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
			return true
		}
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
}
