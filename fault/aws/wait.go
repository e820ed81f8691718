package aws

import (
	"context"
	"time"
)

const (
	firstLook = 50 * time.Millisecond
	lastLook  = 3 * time.Second
)

// until asks again and again, less often each time, until the answer is yes, an error, or ctx ends.
func until(ctx context.Context, done func() (bool, error)) error {
	for gap := firstLook; ; gap = min(gap*3/2, lastLook) {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gap):
		}
	}
}
