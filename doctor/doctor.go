// Package doctor says whether an application is fit to be exercised. This package is the findings and their verdict;
// doctor/check looks at the world. Start at Report.
package doctor

// Severity of a finding.
type Severity string

// The severities: a blocker makes an exercise unsafe or unmeasurable, a risk is a weakness that is shown.
const (
	Blocker Severity = "blocker"
	Risk    Severity = "risk"
)

// Verdict of a report.
type Verdict string

// The verdicts.
const (
	Clear          Verdict = "clear"
	ClearWithRisks Verdict = "clear with risks"
	Blocked        Verdict = "blocked"
)

// The areas, in the order in which a report shows them.
const (
	AreaPlaybook    = "playbook"    // what the playbook says
	AreaHealth      = "health"      // what each service answers now
	AreaMeasuring   = "measuring"   // whether loss can be measured
	AreaAssumptions = "assumptions" // what the recovery relies on
	AreaProcedures  = "procedures"  // whether the steps can be carried out from here
	AreaMachine     = "machine"     // this machine: state, ledger, clock, held faults
)

// Areas lists the areas in their order.
func Areas() []string {
	return []string{AreaPlaybook, AreaHealth, AreaMeasuring, AreaAssumptions, AreaProcedures, AreaMachine}
}

// Finding is one thing that is not as it should be.
type Finding struct {
	ID       string   `json:"id"`
	Area     string   `json:"area"`
	Service  string   `json:"service,omitempty"`
	Severity Severity `json:"severity"`
	Expected string   `json:"expected"`
	Seen     string   `json:"seen"`
	Why      string   `json:"why"`
	Fix      string   `json:"fix"`
}

// Count is how many checks were made in one area of one service, and what they found. Service is empty for what
// belongs to the whole application.
type Count struct {
	Service  string `json:"service,omitempty"`
	Area     string `json:"area"`
	Checks   int    `json:"checks"`
	Blockers int    `json:"blockers"`
	Risks    int    `json:"risks"`
}

// Report is what the doctor found in one environment.
type Report struct {
	Verdict     Verdict   `json:"verdict"`
	Environment string    `json:"environment"`
	Findings    []Finding `json:"findings"`
	// Checks is how many checks were made; a report of none is never clear.
	Checks int `json:"checks"`
	// Counts break Checks and Findings down, by service and area, in the order in which they are shown.
	Counts []Count `json:"counts,omitempty"`
}

// Judge is the verdict on the findings of so many checks. Who has not looked cannot say that all is well.
func Judge(checks int, findings []Finding) Verdict {
	verdict := Clear
	if checks == 0 {
		verdict = Blocked
	}
	for _, f := range findings {
		switch {
		case f.Severity == Blocker:
			verdict = Blocked
		case verdict == Clear:
			verdict = ClearWithRisks
		}
	}
	return verdict
}
