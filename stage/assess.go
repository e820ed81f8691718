package stage

import (
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/playbook"
)

// Input is all that an assessment depends on.
type Input struct {
	Playbook *playbook.Playbook
	// Records is the whole ledger, in order. Verify it first: Assess believes its order and its times.
	Records []evidence.Record
	// Policy says how old evidence may be. Zero fields take the defaults.
	Policy Policy
	Now    time.Time
	// LintBlockers are the blockers that lint found; nil makes Assess lint by itself.
	LintBlockers []string
}

// Policy says how old evidence may be.
type Policy struct {
	// Agreement is how long an agreement, and a "seen", counts. Default 365 days.
	Agreement time.Duration `json:"agreement"`
	// Exercise is how long an exercise counts for stages 1 and 2. Default 365 days.
	Exercise time.Duration `json:"exercise"`
	// Cadence is the longest time between two exercises of a scenario from stage 3 on. Default 35 days.
	Cadence time.Duration `json:"cadence"`
}

// Assess says where the application stands. It reads no clock and no file: the same input gives the same answer.
func Assess(in Input) Assessment {
	return Assessment{}
}
