package postgres

import (
	"context"
	"errors"
	"time"
)

const (
	// refusedFor is how long a server must refuse connections before it has ended: it may be starting again, and a fault of
	// the network that ends together with this one may refuse them in its place.
	refusedFor = 2 * time.Second
	// awayFor is how long one that does not answer, or is starting, is asked again.
	awayFor = 3 * time.Second
	// starting is what a server answers that is not ready yet, or is about to stop.
	starting = "57P03"
)

// surely asks a server whatever do asks, until it answers or it is certain enough that it has ended.
func (p place) surely(ctx context.Context, do func() error) error {
	for began := time.Now(); ; {
		err := do()
		patience := awayFor
		switch {
		case err == nil || !errors.Is(err, errUnreachable) && !isCode(err, starting):
			return err
		case p.ended(err):
			patience = refusedFor
		}
		if time.Since(began) >= patience {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
