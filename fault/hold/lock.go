package hold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errBusy says that somebody else holds the lock: the fault's holder or its reaper is alive.
var errBusy = errors.New("its holder or reaper is at work")

// lock is the right to change one fault. The kernel takes it back when its owner dies. The file is opened close-on-exec,
// so no child can keep it.
type lock struct{ f *os.File }

// create makes the lock of a new fault and takes it. An ID that was used before is an error.
func (s store) create(id string) (lock, error) {
	f, err := os.OpenFile(s.path(id, ".lock"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return lock{}, fmt.Errorf("%w: a fault %s was held before: belay fault list", ErrRefused, id)
	}
	if err != nil {
		return lock{}, fmt.Errorf("lock fault %s: %w", id, err)
	}
	return take(f, id, unix.LOCK_EX|unix.LOCK_NB)
}

// try takes the lock if it is free, else returns errBusy.
func (s store) try(id string) (lock, error) { return s.open(id, unix.LOCK_EX|unix.LOCK_NB) }

// wait blocks until the lock is free.
func (s store) wait(id string) (lock, error) { return s.open(id, unix.LOCK_EX) }

// within takes the lock as soon as it is free, but gives up with errBusy after the bound or when the context ends.
func (s store) within(ctx context.Context, id string, bound time.Duration) (lock, error) {
	end := time.NewTimer(bound)
	defer end.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := s.try(id)
		if !errors.Is(err, errBusy) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return lock{}, errBusy
		case <-end.C:
			return lock{}, errBusy
		case <-tick.C:
		}
	}
}

func (s store) open(id string, how int) (lock, error) {
	// A record whose lock file was lost still has to be reverted, hence O_CREATE.
	f, err := os.OpenFile(s.path(id, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return lock{}, fmt.Errorf("lock fault %s: %w", id, err)
	}
	return take(f, id, how)
}

func take(f *os.File, id string, how int) (lock, error) {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil {
			return lock{f}, nil
		}
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return lock{}, errBusy
		}
		return lock{}, fmt.Errorf("lock fault %s: %w", id, err)
	}
}

// free gives the lock back.
func (l lock) free() {
	if l.f != nil {
		l.f.Close()
	}
}
