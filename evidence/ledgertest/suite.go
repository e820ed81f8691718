// Package ledgertest is what every store of evidence must do, as one suite of tests. It is for tests alone.
// Start at Run.
package ledgertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/clock"
)

// Ledger is a store under test.
type Ledger interface {
	evidence.Ledger
	Close() error
}

// Store is a place where one ledger is kept. Open opens that ledger again and again, also while it is open.
type Store interface {
	Open(clk clock.Clock) (Ledger, error)
}

// Run runs the suite. Each test gets a fresh store, which fresh makes.
func Run(t *testing.T, fresh func(t *testing.T) Store) {
	tests := map[string]func(*testing.T, Store){
		"an empty ledger has no records":             testEmpty,
		"what is appended is listed":                 testRoundTrip,
		"filters choose":                             testFilter,
		"a ledger opened again goes on":              testReopen,
		"ids rise whatever the clock does":           testIDs,
		"a payload that would be changed is refused": testRefuse,
		"a cancelled append leaves nothing":          testCancel,
		"writers do not disturb each other":          testConcurrent,
		"a large payload is kept":                    testLarge,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// wall is a clock that says what it is told.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) Boot() time.Duration { return 0 }

func (w *wall) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = t
}

func start() time.Time { return time.Date(2026, 11, 22, 6, 30, 0, 123456789, time.UTC) }

func open(t *testing.T, s Store, clk clock.Clock) Ledger {
	t.Helper()
	l, err := s.Open(clk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func appendTo(t *testing.T, l Ledger, d evidence.Draft) evidence.Record {
	t.Helper()
	r, err := l.Append(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func list(t *testing.T, l Ledger, f evidence.Filter) []evidence.Record {
	t.Helper()
	records, err := l.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func note(n int) evidence.Draft {
	return evidence.Draft{Kind: evidence.KindNote, Grade: evidence.Claimed, Payload: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
}

func testEmpty(t *testing.T, s Store) {
	l := open(t, s, clock.System{})
	if got := list(t, l, evidence.Filter{}); len(got) != 0 {
		t.Errorf("got %d records", len(got))
	}
}

func testRoundTrip(t *testing.T, s Store) {
	l := open(t, s, &wall{now: start()})
	drafts := []evidence.Draft{
		{Kind: evidence.KindLint, Grade: evidence.Observed},
		{
			Kind: evidence.KindExercise, Subject: "01J", Grade: evidence.Measured, Environment: "staging",
			Digests: map[string]string{"closure": "sha256:ab", "<b>&": "é日本"}, Actor: "ali\"ce",
			Payload: json.RawMessage(` { "z" : 1.50, "a" : [ "<&>", "\u00e9\n", null, 0.30000000000000004 ] } `),
		},
		{Kind: evidence.KindNote, Grade: evidence.Claimed, Payload: json.RawMessage(`"just text"`)},
	}
	var want []evidence.Record
	for _, d := range drafts {
		want = append(want, appendTo(t, l, d))
	}
	got := list(t, l, evidence.Filter{})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed differs from acknowledged (-acknowledged +listed):\n%s", diff)
	}
	if err := evidence.Verify(got); err != nil {
		t.Error(err)
	}
	if p := string(got[1].Payload); p != `{"a":["<&>","é\n",null,0.30000000000000004],"z":1.5}` {
		t.Errorf("payload is not in canonical form: %s", p)
	}
	if got[0].Seq != 1 || got[0].Prev != evidence.Genesis || !got[0].Time.Equal(start().Truncate(time.Microsecond)) || got[0].Time.Location() != time.UTC {
		t.Errorf("first record: %+v", got[0])
	}
}

func testFilter(t *testing.T, s Store) {
	l := open(t, s, clock.System{})
	for _, d := range []evidence.Draft{
		{Kind: evidence.KindStarted, Subject: "a"},
		{Kind: evidence.KindEvent, Subject: "a"},
		{Kind: evidence.KindStarted, Subject: "b"},
		{Kind: evidence.KindExercise, Subject: "a"},
		{Kind: evidence.KindExercise, Subject: "b"},
	} {
		appendTo(t, l, d)
	}
	for _, test := range []struct {
		filter evidence.Filter
		want   []int64
	}{
		{evidence.Filter{}, []int64{1, 2, 3, 4, 5}},
		{evidence.Filter{Subject: "a"}, []int64{1, 2, 4}},
		{evidence.Filter{Kinds: []string{evidence.KindExercise}}, []int64{4, 5}},
		{evidence.Filter{Kinds: []string{evidence.KindExercise, evidence.KindStarted}, Subject: "b"}, []int64{3, 5}},
		{evidence.Filter{After: 3}, []int64{4, 5}},
		{evidence.Filter{After: 1, Subject: "a", Kinds: []string{evidence.KindEvent}}, []int64{2}},
		{evidence.Filter{Subject: "' OR 1=1 --"}, nil},
		{evidence.Filter{After: 5}, nil},
	} {
		var got []int64
		for _, r := range list(t, l, test.filter) {
			got = append(got, r.Seq)
		}
		if !cmp.Equal(got, test.want) {
			t.Errorf("%+v: got %v, want %v", test.filter, got, test.want)
		}
	}
}

func testReopen(t *testing.T, s Store) {
	first, err := s.Open(clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	a := appendTo(t, first, note(1))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, s, clock.System{})
	b := appendTo(t, second, note(2))
	if b.Seq != 2 || b.Prev != a.Hash {
		t.Errorf("after opening again: seq %d, prev %s; want 2, %s", b.Seq, b.Prev, a.Hash)
	}
	if err := evidence.Verify(list(t, second, evidence.Filter{})); err != nil {
		t.Error(err)
	}
}

func testIDs(t *testing.T, s Store) {
	clk := &wall{now: start()}
	l := open(t, s, clk)
	steps := []time.Duration{0, 0, 0, time.Millisecond, -time.Hour, -24 * time.Hour, 0, time.Second}
	for i, step := range steps {
		clk.set(clk.Now().Add(step))
		appendTo(t, l, note(i))
	}
	records := list(t, l, evidence.Filter{})
	for i := 1; i < len(records); i++ {
		if records[i].ID <= records[i-1].ID {
			t.Errorf("id of record %d (%s) is not after that of record %d (%s)", i+1, records[i].ID, i, records[i-1].ID)
		}
	}
	if back := evidence.Backwards(records); len(back) != 2 || back[0].Seq != 5 || back[1].Seq != 6 {
		t.Errorf("records dated before the one that precedes them: %v", back)
	}
	if err := evidence.Verify(records); err != nil {
		t.Errorf("time may go back: %v", err)
	}
}

func testRefuse(t *testing.T, s Store) {
	l := open(t, s, clock.System{})
	for payload, want := range map[string]string{
		`{"a":`:                            "payload is not JSON",
		`{"a":1}{`:                         "payload is not JSON",
		"{\"a\":\"\xff\"}":                 "payload is not UTF-8",
		`{"t_ns":9007199254740993}`:        "payload number 9007199254740993 is not exact in RFC 8785 (integers end at 2^53): write it as a string",
		`{"x":1e400}`:                      "payload number 1e400 is not exact",
		`{"a":1,"a":2}`:                    "payload has no canonical form: Duplicate key: a",
		`{"a":"\ud800 lone surrogate"}`:    "payload has no canonical form",
		`{"\ud800":1, "lone surrogate":1}`: "payload has no canonical form",
	} {
		_, err := l.Append(t.Context(), evidence.Draft{Kind: evidence.KindNote, Payload: json.RawMessage(payload)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", payload, err, want)
		}
	}
	if got := list(t, l, evidence.Filter{}); len(got) != 0 {
		t.Errorf("a refused draft left %d records", len(got))
	}
	if r := appendTo(t, l, note(1)); r.Seq != 1 {
		t.Errorf("a refused draft took a number: the first record has seq %d", r.Seq)
	}
}

func testCancel(t *testing.T, s Store) {
	l := open(t, s, clock.System{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(ctx, note(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if r := appendTo(t, l, note(2)); r.Seq != 1 {
		t.Errorf("seq %d after a cancelled append, want 1", r.Seq)
	}
}

func testConcurrent(t *testing.T, s Store) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		l := open(t, s, clock.System{})
		wg.Go(func() {
			for i := range each {
				if _, err := l.Append(t.Context(), note(w*each+i)); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	wg.Wait()
	records := list(t, open(t, s, clock.System{}), evidence.Filter{})
	if len(records) != writers*each {
		t.Errorf("%d records, want %d", len(records), writers*each)
	}
	if err := evidence.Verify(records); err != nil {
		t.Error(err)
	}
}

func testLarge(t *testing.T, s Store) {
	l := open(t, s, clock.System{})
	payload, err := json.Marshal(strings.Repeat("x", 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	want := appendTo(t, l, evidence.Draft{Kind: evidence.KindNote, Payload: payload})
	if got := list(t, l, evidence.Filter{}); len(got) != 1 || string(got[0].Payload) != string(want.Payload) {
		t.Error("the payload came back different")
	}
	_, err = l.Append(t.Context(), evidence.Draft{Kind: evidence.KindNote, Payload: make(json.RawMessage, evidence.MaxPayload+1)})
	if err == nil {
		t.Error("a payload above the limit was taken")
	}
}
