// Package lint knows what a playbook must mean, beyond being well written: a child whose recovery takes longer than
// its parent may wait, hours in which nobody answers, a check that is missing where an exercise would measure nothing.
//
// Each rule has an identifier that never changes, a severity and a reason. A blocker makes an exercise unsafe or
// unmeasurable and refuses it; a risk is shown. Lint never runs anything and never changes a playbook.
// Start reading at Check, then Rules.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/belay-dr/belay/playbook"
)

// Severity says what a finding means for an exercise.
type Severity string

// The severities, worst first.
const (
	// Blocker makes an exercise unsafe or unmeasurable.
	Blocker Severity = "blocker"
	// Risk is a weakness that is shown.
	Risk Severity = "risk"
)

// Finding is one thing that is wrong with what a playbook means.
type Finding struct {
	// ID is the rule's, for example "L001".
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// Path is the dotted path of what it is about, for example "services.cdn.rto".
	Path string       `json:"path"`
	Pos  playbook.Pos `json:"pos"`
	// Message says what was seen, with the values.
	Message string `json:"message"`
	// Why says what would go wrong in an outage.
	Why string `json:"why"`
	// Hint says what to write instead.
	Hint string `json:"hint,omitempty"`
}

// Rule is one thing lint knows.
type Rule struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Severity Severity `json:"severity"`
	// Why is the reason for the rule, and what would go wrong without it.
	Why string `json:"why"`
	// Hint says what to write instead.
	Hint string `json:"hint"`

	check func(*pass)
}

// pass is one rule's walk over a playbook.
type pass struct {
	pb    *playbook.Playbook
	rule  Rule
	found []Finding
}

// report adds a finding at the path.
func (p *pass) report(path, format string, args ...any) {
	p.found = append(p.found, Finding{
		ID: p.rule.ID, Severity: p.rule.Severity, Path: path, Pos: p.pb.Position(path),
		Message: fmt.Sprintf(format, args...), Why: p.rule.Why, Hint: p.rule.Hint,
	})
}

// Check returns what every rule finds, ordered by file, position and rule. The order depends on the playbook alone.
func Check(pb *playbook.Playbook) []Finding {
	var all []Finding
	for _, rule := range Rules() {
		p := &pass{pb: pb, rule: rule}
		rule.check(p)
		all = append(all, p.found...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Path, b.Path))
	})
	return all
}

// Blockers returns the findings that refuse an exercise.
func Blockers(findings []Finding) []Finding {
	var blockers []Finding
	for _, f := range findings {
		if f.Severity == Blocker {
			blockers = append(blockers, f)
		}
	}
	return blockers
}
