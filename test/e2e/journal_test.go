package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	machine "github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/internal/clock"
)

// journal reads the ledger of a workspace while others write it.
type journal struct {
	w  *world
	db *sqlite.DB
}

func openJournal(w *world) *journal {
	w.t.Helper()
	// The ledger is made first by the product; a test that made it would test itself.
	path := filepath.Join(w.dir, ".belay", "ledger.db")
	w.until(waitForPhase, "the ledger is there", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	db, err := sqlite.Open(context.Background(), path, clock.System{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	return &journal{w, db}
}

// latest replays the exercise that was started last, and returns its ID and state; the ID is empty when there is none.
func (j *journal) latest() (string, machine.State) {
	j.w.t.Helper()
	records, err := j.db.List(context.Background(), evidence.Filter{Kinds: []string{evidence.KindStarted, evidence.KindEvent}})
	if err != nil {
		j.w.t.Fatal(err)
	}
	var id string
	var state machine.State
	for _, r := range records {
		switch r.Kind {
		case evidence.KindStarted:
			var o local.Opening
			must(j.w.t, json.Unmarshal(r.Payload, &o))
			id, state = r.Subject, machine.New(o.Plan)
		case evidence.KindEvent:
			if r.Subject == id {
				var e machine.Event
				must(j.w.t, json.Unmarshal(r.Payload, &e))
				state, _ = machine.Step(state, e)
			}
		}
	}
	return id, state
}

// reach waits until the running exercise has begun this phase, and returns its ID and the phase it is in.
func (j *journal) reach(phase machine.Phase) (string, machine.Phase) {
	j.w.t.Helper()
	var id string
	var state machine.State
	j.w.until(waitForPhase, "phase "+string(phase), func() bool {
		id, state = j.latest()
		for _, m := range state.Marks {
			if m.Phase == phase {
				return true
			}
		}
		return id != "" && phase == machine.Cleared
	})
	return id, state.Phase
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
