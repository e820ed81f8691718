package playbook

import (
	"fmt"
	"slices"
	"strings"
)

// Condition says when a notification is sent. The zero Condition always holds.
type Condition struct {
	// Op compares how bad the severity is: ">=" means at least as bad as Severity. Empty means always.
	Op       string
	Severity string
}

// ParseCondition reads "always" or a comparison such as "severity >= critical".
func ParseCondition(text string) (Condition, error) {
	words := strings.Fields(text)
	if len(words) == 1 && words[0] == "always" {
		return Condition{}, nil
	}
	if len(words) != 3 || words[0] != "severity" || !slices.Contains([]string{">=", "<=", ">", "<", "=", "!="}, words[1]) {
		return Condition{}, fmt.Errorf("%q is no condition", short(text))
	}
	return Condition{Op: words[1], Severity: words[2]}, nil
}

// Holds says whether the condition is true of a severity. A severity that is not on the scale counts as the worst.
func (pb *Playbook) Holds(c Condition, severity string) bool {
	// Rank 0 is the worst, so a smaller rank is a greater severity.
	is, bound := max(pb.Rank(severity), 0), pb.Rank(c.Severity)
	switch c.Op {
	case ">=":
		return is <= bound
	case "<=":
		return is >= bound
	case ">":
		return is < bound
	case "<":
		return is > bound
	case "=":
		return is == bound
	case "!=":
		return is != bound
	}
	return true
}
