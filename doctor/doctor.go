// Package doctor says whether an application is fit to be exercised. This package is the findings and their verdict;
// doctor/check looks at the world.
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

// Report is what the doctor found in one environment.
type Report struct {
	Verdict     Verdict   `json:"verdict"`
	Environment string    `json:"environment"`
	Findings    []Finding `json:"findings"`
	// Checks is how many checks were made; a report of none is never clear.
	Checks int `json:"checks"`
}
