package stage

import (
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/playbook"
)

// Input is all that an assessment depends on.
type Input struct {
	Playbook *playbook.Playbook
	// Records is the whole ledger. Verify it first: Assess believes what the records say of themselves, except for
	// signatures, which it checks.
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

const day = 24 * time.Hour

func (p Policy) orDefault() Policy {
	fill := func(field *time.Duration, value time.Duration) {
		if *field <= 0 {
			*field = value
		}
	}
	fill(&p.Agreement, 365*day)
	fill(&p.Exercise, 365*day)
	fill(&p.Cadence, 35*day)
	return p
}

// Assess says where the application stands. It reads no clock and no file: the same input gives the same answer.
func Assess(in Input) Assessment {
	a := newAssessor(in)
	criteria := slices.Concat(a.prerequisites(), a.stage1(), a.stage2(), a.stage3(), a.stage4(), a.stage5())
	for i := range criteria {
		a.waive(&criteria[i])
		if criteria[i].Evidence == nil {
			criteria[i].Evidence = []string{}
		}
		if criteria[i].State == Met {
			criteria[i].Next = ""
		}
	}
	out := Assessment{Application: in.Playbook.Application, Criteria: criteria, Stage: reached(criteria, holds)}
	for _, c := range criteria {
		if !holds(c) {
			out.Next = c.Next
			break
		}
	}
	out.Lost = lost(criteria, out.Stage)
	return out
}

// highest is the top of the ladder.
const highest = 5

// reached is the highest stage all of whose criteria, and all below, are good. The prerequisites belong to stage 1:
// without them an application is at 0.
func reached(criteria []Criterion, good func(Criterion) bool) int {
	for _, c := range criteria {
		if !good(c) {
			return max(0, c.Stage-1)
		}
	}
	return highest
}

func holds(c Criterion) bool { return c.State == Met || c.State == Waived }

// lost says what brought the stage down. A criterion that is stale or expired was met once; when all up to some stage
// were, the application had reached it. What the playbook alone decides leaves no trace of how it was, so it is left
// out of the reckoning.
func lost(criteria []Criterion, now int) []string {
	once := reached(criteria, func(c Criterion) bool {
		return holds(c) || c.State == Stale || c.State == Expired || c.byPlaybook
	})
	if once <= now {
		return nil
	}
	var why []string
	for _, c := range criteria {
		if c.Stage <= once && (c.State == Stale || c.State == Expired) {
			why = append(why, fmt.Sprintf("%s: %s", c.ID, c.Why))
		}
	}
	return why
}
