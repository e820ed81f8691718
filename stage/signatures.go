package stage

import (
	"fmt"
	"slices"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/playbook"
)

// Signature is how one person stands to the current substance, for one role or (with an empty Role) as somebody who has
// seen it.
type Signature struct {
	Role   playbook.Role `json:"role"`
	Person string        `json:"person"`
	// State is met, stale, expired or unmet.
	State State `json:"state"`
	// Why names what changed, or why a signature does not count.
	Why string `json:"why"`
	// Record is the latest record of it, and Time when it was signed.
	Record string     `json:"record,omitempty"`
	Time   *time.Time `json:"time,omitempty"`
}

// Signatures lists who has signed what, role by role, and then who has seen it.
func Signatures(in Input) []Signature {
	a := newAssessor(in)
	var out []Signature
	for _, role := range a.pb.Agreement.Signers() {
		for _, p := range a.pb.People {
			if slices.Contains(p.Value.Roles, role) {
				out = append(out, a.signature(role, p.ID))
			}
		}
	}
	for _, p := range a.pb.People {
		if p.Value.Rotation != nil {
			continue
		}
		s := a.person(p.ID)
		if at := a.timeOf(s.proof); s.state == Met {
			s.why = "on " + date(*at)
		}
		out = append(out, Signature{Person: p.ID, State: s.state, Why: s.why, Record: s.proof, Time: a.timeOf(s.proof)})
	}
	return out
}

func (a *assessor) signature(role playbook.Role, person string) Signature {
	out := Signature{Role: role, Person: person, State: Unmet, Why: "has not signed"}
	if !a.maySign(person, role) {
		out.Why = "is the author, who may not sign"
		return out
	}
	for _, s := range slices.Backward(a.agreements) {
		if s.Role != string(role) || s.Person != person {
			continue
		}
		now := a.judge(s, person)
		if now.state == Met {
			now.why = "on " + date(s.at)
		}
		if s.signed != nil {
			now = standing{state: Unmet, proof: s.id, why: fmt.Sprintf("agreed, which does not count: %v", s.signed)}
		}
		if out.Record == "" || better(now.state, out.State) {
			out.State, out.Why, out.Record, out.Time = now.state, now.why, now.proof, a.timeOf(s.id)
		}
	}
	return out
}

// timeOf is when the statement with the ID was made.
func (a *assessor) timeOf(id string) *time.Time {
	for _, s := range slices.Concat(a.agreements, a.seen) {
		if s.id == id {
			at := s.at.UTC().Truncate(time.Second)
			return &at
		}
	}
	return nil
}

// Dissent is an objection that nobody has answered.
type Dissent struct {
	Record string    `json:"record"`
	Person string    `json:"person"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// OpenDissents lists the objections that block until somebody answers them.
func OpenDissents(in Input) []Dissent {
	out := []Dissent{}
	for _, d := range newAssessor(in).openDissents() {
		out = append(out, Dissent{Record: d.id, Person: d.Person, Text: d.Text, Time: d.at})
	}
	return out
}

// Since names what changed in the playbook since the person last agreed to it, or saw it, with a good signature. The
// second result is when that was, nil for never.
func Since(in Input, person string) ([]playbook.Change, *evidence.Agreement) {
	a := newAssessor(in)
	var last *statement
	for _, s := range slices.Concat(a.seen, a.agreements) {
		good := s.Person == person && s.signed == nil && playbook.Parts(s.Parts).Digest() == s.Substance
		if good && (last == nil || !s.at.Before(last.at)) {
			last = &s
		}
	}
	if last == nil {
		return nil, nil
	}
	return playbook.Diff(last.Parts, a.substance), &last.Agreement
}
