package process

import (
	"context"
	"time"

	"github.com/belay-dr/belay/fault/proc"
)

// goesOn says that a process is not stopped any more, within a second.
func goesOn(ctx context.Context, p proc.Process) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		i, err := proc.Find(p)
		if err != nil || i.State != proc.Stopped {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}
