package hold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// claimBound is how long another holder may take to write its record.
const claimBound = 10 * time.Second

// claimLock is the file that is locked while a new fault looks whether what it wants is free. No fault's ID begins with a dot.
const claimLock = ".claims"

// claim refuses what another fault has that is not settled: two faults on one thing could not be taken back in any order.
// It returns with the lock under which the new record must be written, so that two holders cannot both find it free.
func (s store) claim(wanted []string) (lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), claimBound)
	defer cancel()
	var l lock
	for {
		f, err := os.OpenFile(filepath.Join(s.dir, claimLock), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return lock{}, fmt.Errorf("claim target: %w", err)
		}
		if l, err = take(f, "claims", unix.LOCK_EX|unix.LOCK_NB); err == nil {
			break
		}
		if !errors.Is(err, errBusy) || ctx.Err() != nil {
			return lock{}, fmt.Errorf("claim target: %w", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	// A record that cannot be read is said by every sweep; it claims nothing that could be known.
	all, _ := s.all()
	for _, r := range all {
		if r.Phase == settled {
			continue
		}
		if what := overlap(wanted, r.Claims); what != "" {
			l.free()
			return lock{}, fmt.Errorf("%w: the fault %s (%s) has %s already: wait for its end, or `belay halt`", ErrRefused, r.Status.ID, r.Status.Target, what)
		}
	}
	return l, nil
}

// overlap is the first thing in both lists. A path has all that is below it.
func overlap(a, b []string) string {
	for _, x := range a {
		for _, y := range b {
			if x == y || filepath.IsAbs(x) && filepath.IsAbs(y) && (within(x, y) || within(y, x)) {
				return y
			}
		}
	}
	return ""
}
