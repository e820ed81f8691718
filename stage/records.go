package stage

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
)

// assessor is the input, sorted out.
type assessor struct {
	pb     *playbook.Playbook
	policy Policy
	now    time.Time
	// substance is what people agree to, as the playbook is now.
	substance playbook.Parts
	digest    string
	// closures are what exercises prove now, by scenario and environment, worked out when first asked for.
	closures map[[2]string]closure
	blockers []string

	agreements []statement
	dissents   []statement
	answers    []statement
	seen       []statement
	exercises  []run
	waivers    []waiver
}

// statement is a record that a person made: an agreement, a dissent, an answer or a "seen".
type statement struct {
	evidence.Agreement
	id string
	// at is when it was made: the earlier of the times in the record and in the signed message.
	at time.Time
	// signed says that the signature is good and by a key that the playbook has for the person.
	signed error
	// member says that the person is in the playbook.
	member bool
}

// run is the result of an exercise.
type run struct {
	exercise.Result
	id string
	at time.Time
}

type waiver struct {
	evidence.Waiver
	id string
}

func newAssessor(in Input) *assessor {
	a := &assessor{
		pb: in.Playbook, policy: in.Policy.orDefault(), now: in.Now,
		substance: playbook.Substance(in.Playbook), closures: map[[2]string]closure{}, blockers: in.LintBlockers,
	}
	a.digest = a.substance.Digest()
	if a.blockers == nil {
		a.blockers = lintBlockers(in.Playbook)
	}
	records := slices.Clone(in.Records)
	slices.SortFunc(records, func(x, y evidence.Record) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Seq, y.Seq), cmp.Compare(x.ID, y.ID))
	})
	for _, r := range records {
		a.take(r)
	}
	return a
}

// take sorts a record in. A payload that cannot be read proves nothing; the chain's verification is what names damage.
func (a *assessor) take(r evidence.Record) {
	switch r.Kind {
	case evidence.KindAgreement:
		a.takeStatement(&a.agreements, r)
	case evidence.KindDissent:
		a.takeStatement(&a.dissents, r)
	case evidence.KindAnswer:
		a.takeStatement(&a.answers, r)
	case evidence.KindSeen:
		a.takeStatement(&a.seen, r)
	case evidence.KindExercise:
		var result exercise.Result
		if json.Unmarshal(r.Payload, &result) == nil && result.Application == a.pb.Application {
			a.exercises = append(a.exercises, run{result, r.ID, r.Time})
		}
	case evidence.KindWaiver:
		var w evidence.Waiver
		if json.Unmarshal(r.Payload, &w) == nil && w.Application == a.pb.Application {
			a.waivers = append(a.waivers, waiver{w, r.ID})
		}
	}
}

func (a *assessor) takeStatement(to *[]statement, r evidence.Record) {
	s := statement{id: r.ID, at: r.Time}
	if json.Unmarshal(r.Payload, &s.Agreement) != nil || s.Application != a.pb.Application {
		return
	}
	if !s.Signed.IsZero() && s.Signed.Before(s.at) {
		s.at = s.Signed
	}
	person, ok := a.pb.People.Get(s.Person)
	if s.member = ok; ok {
		s.signed = s.Verify(r.Kind, person.Keys)
	}
	*to = append(*to, s)
}

// waive lets a waiver stand in for a criterion that is not met.
func (a *assessor) waive(c *Criterion) {
	if c.State == Met || c.fixed {
		return
	}
	for _, w := range slices.Backward(a.waivers) {
		approver, ok := a.pb.People.Get(w.Approver)
		if w.Criterion != c.ID || !ok || w.Approver == w.Person || !w.Until.After(a.now) || w.Verify(approver.Keys) != nil {
			continue
		}
		c.State = Waived
		c.Why = "waived by " + w.Approver + " until " + date(w.Until) + " (" + w.Reason + "); otherwise: " + c.Why
		c.Evidence = append(c.Evidence, w.id)
		return
	}
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }
