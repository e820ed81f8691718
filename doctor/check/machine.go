package check

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/evidence"
)

// machine looks at the machine that would run the exercise.
func (v *visit) machine(ctx context.Context) {
	if v.deps.State != "" {
		v.look(doctor.AreaMachine, "", v.stateWritable)
	}
	if v.deps.Held != nil {
		v.look(doctor.AreaMachine, "", func() *doctor.Finding { return v.nothingHeld(ctx) })
	}
	var newest time.Time
	if v.deps.Records != nil {
		records, err := v.deps.Records(ctx)
		if err == nil {
			err = evidence.Verify(records)
		}
		if len(records) > 0 {
			newest = records[len(records)-1].Time
		}
		v.look(doctor.AreaMachine, "", func() *doctor.Finding {
			if err == nil {
				return nil
			}
			return blocker("ledger", "a ledger whose chain of hashes is whole", err.Error(),
				"new evidence on a broken chain proves nothing", "run `belay evidence verify`, and restore the ledger from a copy")
		})
	}
	v.look(doctor.AreaMachine, "", func() *doctor.Finding { return v.clockSane(newest) })
}

// stateWritable makes a file where evidence goes and removes it.
func (v *visit) stateWritable() *doctor.Finding {
	dir := v.deps.State
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		dir = filepath.Dir(dir) // it will be made there
	}
	file, err := os.CreateTemp(dir, ".belay-doctor-*")
	if err == nil {
		_, err = file.WriteString("can be written\n")
		if e := file.Sync(); err == nil {
			err = e
		}
		if e := file.Close(); err == nil {
			err = e
		}
		if e := os.Remove(file.Name()); err == nil {
			err = e
		}
	}
	if err == nil {
		return nil
	}
	return blocker("state", "a state directory that can be written: "+v.deps.State, err.Error(),
		"an exercise writes down each event before it acts; without that it must not act", "give yourself the right to write there, or make room")
}

// nothingHeld wants no fault of an earlier exercise.
func (v *visit) nothingHeld(ctx context.Context) *doctor.Finding {
	held, err := v.deps.Held(ctx)
	if err == nil && len(held) == 0 {
		return nil
	}
	saw := fmt.Sprintf("%d: %s", len(held), first(held))
	if err != nil {
		saw = err.Error()
	}
	return blocker("held", "no held fault on this machine", saw,
		"what is broken already cannot be told from what the exercise breaks", "run `belay halt`, then `belay fault list`")
}

func first(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return list[0]
}

// clockSane wants a wall clock that has been set and is not behind the newest evidence, and a monotonic clock that runs.
func (v *visit) clockSane(newest time.Time) *doctor.Finding {
	const slack = time.Minute
	now := v.deps.Clock.Now()
	before := v.deps.Clock.Boot()
	switch {
	case now.Year() < 2020:
		return blocker("clock", "a clock that is set", now.Format(time.RFC3339),
			"evidence expires by its age, and would be worth nothing at once", "set the clock, for example by NTP")
	case now.Add(slack).Before(newest):
		return blocker("clock", "a clock that is not behind the newest evidence, "+newest.Format(time.RFC3339), now.Format(time.RFC3339),
			"records would be out of order, and the age of evidence wrong", "set the clock, for example by NTP")
	case v.deps.Clock.Boot() < before:
		return blocker("clock", "a clock that never goes back", "it went back",
			"no length of time could be trusted", "run the exercise on another machine")
	}
	return nil
}
