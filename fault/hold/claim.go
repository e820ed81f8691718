package hold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// claimBound is how long another holder may take to write its record.
const claimBound = 10 * time.Second

// claimLock is the file that is locked while a new fault looks whether what it wants is free. No fault's ID begins with a dot.
const claimLock = ".claims"

// errStale says that another fault was at the target while the plan was made, and has ended since: what the plan has seen there
// may have been that fault, and must never be put back.
var errStale = errors.New("it was planned while another fault ended")

// census is how far each fault had come at one moment.
type census map[string]phase

func (s store) census() census {
	out := census{}
	all, _ := s.all()
	for _, r := range all {
		out[r.Status.ID] = r.Phase
	}
	return out
}

// claim refuses what another fault has that is not settled: two faults on one thing could not be taken back in any order.
// It returns with the lock under which the new record must be written, so that two holders cannot both find it free. Before is
// what was there before the target was looked at: if a fault on it has ended since, errStale is returned.
func (s store) claim(wanted []string, before census) (lock, error) {
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
		if before[r.Status.ID] == settled {
			continue
		}
		what := fault.Overlap(wanted, r.Claims)
		switch {
		case what == "":
		case r.Phase == settled:
			l.free()
			return lock{}, fmt.Errorf("%w: the fault %s (%s) had %s", errStale, r.Status.ID, r.Status.Target, what)
		default:
			l.free()
			return lock{}, fmt.Errorf("%w: the fault %s (%s) has %s already: wait for its end, or `belay halt`", ErrRefused, r.Status.ID, r.Status.Target, what)
		}
	}
	return l, nil
}
