package evidence

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Rule is what a ledger must obey.
type Rule string

// The rules.
const (
	RuleContent Rule = "content" // the hash is that of the record's content
	RuleForm    Rule = "form"    // the content has its canonical form
	RuleLink    Rule = "link"    // prev is the hash of the record before
	RuleOrder   Rule = "order"   // seq counts from 1 without gaps
	RuleID      Rule = "id"      // no two records have the same ID
	RuleHead    Rule = "head"    // the ledger reaches every signed head, and says the same there
	RuleRaw     Rule = "raw"     // a file of raw data has the digest that a record names
	RuleStore   Rule = "store"   // the store itself is whole
)

// Problem is one thing that is wrong with a ledger.
type Problem struct {
	// Seq, ID and Kind say which record; Seq is 0 when the problem is about no single one.
	Seq     int64  `json:"seq,omitempty"`
	ID      string `json:"id,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Rule    Rule   `json:"rule"`
	Message string `json:"message"`
}

// Error is one line: the record and what is wrong with it.
func (p Problem) Error() string {
	if p.Seq == 0 && p.ID == "" {
		return p.Message
	}
	return fmt.Sprintf("record %d (%s %s): %s", p.Seq, p.Kind, p.ID, p.Message)
}

// Problems are all things that are wrong with a ledger. As an error it has one line for each.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Verify checks a whole ledger, from its first record on, in order, against itself and against heads. It returns nil
// or Problems, which names every record that breaks a rule. Whether the heads' own signatures are good is for
// Head.Verify to say.
func Verify(records []Record, heads ...Head) error {
	var found Problems
	ids := make(map[string]int64, len(records))
	prev, seq := Genesis, int64(0)
	for _, r := range records {
		problem := func(rule Rule, format string, args ...any) {
			found = append(found, Problem{Seq: r.Seq, ID: r.ID, Kind: r.Kind, Rule: rule, Message: fmt.Sprintf(format, args...)})
		}
		switch {
		case r.Seq == seq+2:
			problem(RuleOrder, "record %d is missing before it", seq+1)
		case r.Seq > seq+1:
			problem(RuleOrder, "records %d to %d are missing before it", seq+1, r.Seq-1)
		case r.Seq <= seq:
			problem(RuleOrder, "it comes after record %d", seq)
		}
		if first, again := ids[r.ID]; again {
			problem(RuleID, "record %d has the same ID", first)
		}
		ids[r.ID] = r.Seq
		checkContent(r, problem)
		if r.Prev != prev && (r.Seq == seq+1 || r.Seq <= seq) {
			if r.Seq == 1 {
				problem(RuleLink, "it is the first record, yet prev is %s", short(r.Prev))
			} else {
				problem(RuleLink, "prev is %s, but record %d before it has hash %s", short(r.Prev), seq, short(prev))
			}
		}
		prev, seq = r.Hash, r.Seq
	}
	for _, h := range heads {
		found = append(found, checkHead(records, h)...)
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

func checkContent(r Record, problem func(Rule, string, ...any)) {
	sum, err := r.Sum()
	switch {
	case err != nil:
		problem(RuleForm, "its content cannot be hashed: %v", err)
	case sum != r.Hash:
		problem(RuleContent, "its content was changed: it hashes to %s, recorded is %s", short(sum), short(r.Hash))
	case !inForm(r.Payload):
		problem(RuleForm, "its payload is not written in its canonical form")
	}
}

// Steps back in time are no fault: a machine's wall clock may be set. They are worth a look.
// Backwards returns the records that are dated before the one that precedes them.
func Backwards(records []Record) []Record {
	var back []Record
	var last time.Time
	for _, r := range records {
		if r.Time.Before(last) {
			back = append(back, r)
		}
		last = r.Time
	}
	return back
}

// AsProblems returns the problems in err, and one made of err itself when it is something else.
func AsProblems(err error) Problems {
	var ps Problems
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ps):
		return ps
	}
	return Problems{{Rule: RuleStore, Message: err.Error()}}
}

// short shows the beginning of a hash.
func short(hash string) string {
	if len(hash) > 12 {
		return hash[:12] + "…"
	}
	if hash == "" {
		return "empty"
	}
	return hash
}
