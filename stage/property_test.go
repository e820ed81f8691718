package stage_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/stage"
)

// pool is many records of all sorts: good and bad, old and young, on the playbook as it is and as it was.
func pool(t testing.TB) *ledger {
	l := &ledger{t: t}
	rng := rand.New(rand.NewPCG(7, 7))
	some := func(days int) time.Time { return today().Add(-time.Duration(rng.IntN(days*24)) * time.Hour) }
	for variant := range 3 {
		l.pb = bookstore(t)
		if variant == 1 {
			l.pb.Scenarios[0].Value.Recovery[0].Manual = "Restart it as it was"
		}
		for range 2 {
			l.agree(some(500), "alice", "stakeholder")
			l.agree(some(500), "bob", "development")
			l.agree(some(500), "bob", "testing")
			l.agree(some(500), "christina", "operations")
			l.agree(some(500), "bob", "stakeholder")
			l.state(some(500), evidence.KindSeen, "alice", nil)
			for _, scenario := range []string{"api-failure", "database-failure"} {
				l.exercise(some(400), scenario, nil)
				l.exercise(some(140), scenario, func(r *exercise.Result) { r.Production, r.Mode = rng.IntN(2) == 0, exercise.Automatic })
				l.exercise(some(140), scenario, func(r *exercise.Result) { r.Verdict = exercise.Fail })
				l.exercise(some(140), scenario, func(r *exercise.Result) { r.Mode = exercise.Tabletop })
			}
		}
	}
	for _, criterion := range []string{"results-published", "dashboards", "cadence", "automated-non-production", "agreement", "seen"} {
		w, err := evidence.Waiver{Application: "bookstore", Criterion: criterion, Person: "bob", Approver: "alice", Until: today().Add(day)}.
			Sign(today(), signerOf(t, "alice"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		l.add(today(), evidence.Draft{Kind: evidence.KindWaiver, Payload: payload})
	}
	l.add(today(), evidence.Draft{Kind: evidence.KindExercise, Payload: json.RawMessage(`"no result"`)})
	l.pb = bookstore(t)
	return l
}

func subset(rt *rapid.T, records []evidence.Record, name string, inTen int) []evidence.Record {
	seed := rapid.Uint64().Draw(rt, name)
	rng := rand.New(rand.NewPCG(seed, 1))
	var out []evidence.Record
	for _, r := range records {
		if rng.IntN(10) < inTen {
			out = append(out, r)
		}
	}
	return out
}

// Without dissents, which are there to stop the climb, less evidence never makes a higher stage.
func TestLessEvidenceNeverRaises(t *testing.T) {
	l := pool(t)
	reached := map[int]int{}
	rapid.Check(t, func(rt *rapid.T) {
		share := rapid.IntRange(2, 10).Draw(rt, "share")
		more := subset(rt, l.records, "more", share)
		less := subset(rt, more, "less", rapid.IntRange(1, 9).Draw(rt, "kept"))
		of := func(records []evidence.Record) stage.Assessment {
			return stage.Assess(stage.Input{Playbook: l.pb, Records: records, Now: today(), LintBlockers: []string{}})
		}
		high, low := of(more), of(less)
		reached[high.Stage]++
		if low.Stage > high.Stage {
			rt.Fatalf("stage %d with %d records, %d with %d of them", high.Stage, len(more), low.Stage, len(less))
		}
		for i, c := range low.Criteria {
			if (c.State == stage.Met || c.State == stage.Waived) && high.Criteria[i].State != stage.Met && high.Criteria[i].State != stage.Waived {
				rt.Fatalf("%s is %s with less and %s with more: %s", c.ID, c.State, high.Criteria[i].State, high.Criteria[i].Why)
			}
		}
	})
	if len(reached) < 3 {
		t.Errorf("stages reached %v: the histories are too much alike", reached)
	}
}

// A stage is reached with all that is below it, and never by an average.
func TestCumulative(t *testing.T) {
	l := pool(t)
	rapid.Check(t, func(rt *rapid.T) {
		a := stage.Assess(stage.Input{
			Playbook: l.pb, Records: subset(rt, l.records, "records", rapid.IntRange(1, 10).Draw(rt, "share")),
			Now: today(), LintBlockers: []string{},
		})
		lowest := 6
		for _, c := range a.Criteria {
			if c.State != stage.Met && c.State != stage.Waived {
				lowest = min(lowest, c.Stage)
			}
		}
		if want := max(0, lowest-1); a.Stage != want {
			rt.Fatalf("stage %d, but the lowest criterion that is not met is of stage %d", a.Stage, lowest)
		}
	})
}

// The same input gives the same answer, and the order of the slice does not matter: the records' own times and numbers do.
func TestDeterministic(t *testing.T) {
	l := pool(t)
	rapid.Check(t, func(rt *rapid.T) {
		records := subset(rt, l.records, "records", 8)
		shuffled := append([]evidence.Record(nil), records...)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "shuffle"), 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		in := stage.Input{Playbook: l.pb, Records: records, Now: today(), LintBlockers: []string{}}
		a := stage.Assess(in)
		in.Records = shuffled
		if b := stage.Assess(in); !reflect.DeepEqual(a, b) {
			rt.Fatalf("%+v\n%+v", a, b)
		}
	})
}

// Records with the same time may stand in any order.
func TestEqualTimes(t *testing.T) {
	pb := bookstore(t)
	l := climbed(t, pb)
	for i := range l.records {
		l.records[i].Time = today().Add(-day)
	}
	want := l.assess(nil)
	rapid.Check(t, func(rt *rapid.T) {
		order := rapid.Permutation(l.records).Draw(rt, "order")
		for i := range order {
			order[i].Seq = int64(i + 1)
		}
		got := stage.Assess(stage.Input{Playbook: pb, Records: order, Now: today(), LintBlockers: []string{}})
		if got.Stage != want.Stage {
			rt.Fatalf("stage %d, want %d", got.Stage, want.Stage)
		}
		for i := range got.Criteria {
			if got.Criteria[i].State != want.Criteria[i].State {
				rt.Fatalf("%s: %s, want %s", got.Criteria[i].ID, got.Criteria[i].State, want.Criteria[i].State)
			}
		}
	})
}

// Any change of any part that people agreed to takes the agreement away, and is named.
func TestAnyChangeOfSubstanceIsNamed(t *testing.T) {
	l := climbed(t, bookstore(t))
	substance := playbook.Substance(l.pb)
	changes := map[string]func(*playbook.Playbook){
		"services.api.rto":                  func(pb *playbook.Playbook) { pb.Services[0].Value.RTO = hours(6) },
		"services.database.critical":        func(pb *playbook.Playbook) { pb.Services[1].Value.Critical.Level = playbook.Never },
		"services.api.needs":                func(pb *playbook.Playbook) { pb.Services[0].Value.Needs = nil },
		"scenarios.api-failure.leads":       func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Leads.Primary = "christina" },
		"scenarios.api-failure.class":       func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Class = playbook.CriticalDependency },
		"notifications[0]":                  func(pb *playbook.Playbook) { pb.Notifications[0].Who = []string{"bob"} },
		"scenarios.api-failure.test":        func(pb *playbook.Playbook) { pb.Scenarios[0].Value.Test[0].Manual = "Look twice" },
		"scenarios.database-failure.resume": func(pb *playbook.Playbook) { pb.Scenarios[1].Value.Resume = nil },
	}
	for path, change := range changes {
		pb := bookstore(t)
		change(pb)
		if playbook.Substance(pb).Digest() == substance.Digest() {
			t.Errorf("%s: the substance is the same", path)
		}
		in := stage.Input{Playbook: pb, Records: l.records, Now: today(), LintBlockers: []string{}}
		wantCriterion(t, stage.Assess(in), "agreement", stage.Stale, path)
	}
}
