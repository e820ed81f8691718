package postgres

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// errEnded says that nothing listens there any more. Silence does not say so: a server behind a network that is cut keeps all
// that was done to it.
var errEnded = errors.New("the server has ended")

const (
	// refusedFor is how long a server must refuse connections before it has ended: it may be starting again, and a fault of
	// the network that ends together with this one may refuse them in its place.
	refusedFor = 2 * time.Second
	// awayFor is how long one that does not answer, or is starting, is asked again.
	awayFor = 6 * time.Second
)

// starting is what a server answers that is not ready yet, or is about to stop.
const starting = "57P03"

// surely asks a server whatever do asks, until it answers or has ended. An error that wraps errEnded means that it has; any other one
// that nobody knows.
func surely(ctx context.Context, do func() error) error {
	for began := time.Now(); ; {
		err := do()
		refused := errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
		patience := awayFor
		switch {
		case err == nil || !errors.Is(err, errUnreachable) && !isCode(err, starting):
			return err
		case refused:
			patience = refusedFor
		}
		if time.Since(began) >= patience {
			if refused {
				err = errors.Join(errEnded, err)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
