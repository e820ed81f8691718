package evidence_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"github.com/belay-dr/belay/evidence"
)

// signer makes a key whose bytes follow from the seed.
func signer(t *testing.T, seed byte) (ssh.Signer, string) {
	t.Helper()
	var b [ed25519.SeedSize]byte
	rand.NewChaCha8([32]byte{seed}).Read(b[:]) //nolint:errcheck // it never fails
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(b[:]))
	if err != nil {
		t.Fatal(err)
	}
	return s, evidence.AuthorizedKey(s.PublicKey())
}

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 987654321, time.UTC) }

// chain makes a chain of n records.
func chain(t *testing.T, n int) []evidence.Record {
	t.Helper()
	var records []evidence.Record
	prev := evidence.Genesis
	for i := range n {
		r, err := evidence.Chain(int64(i+1), fmt.Sprintf("ID%02d", i+1), noon().Add(time.Duration(i)*time.Second), evidence.Draft{
			Kind: evidence.KindNote, Grade: evidence.Claimed, Payload: json.RawMessage(fmt.Sprintf(`{"i":%d}`, i)),
		}, prev)
		if err != nil {
			t.Fatal(err)
		}
		records, prev = append(records, r), r.Hash
	}
	return records
}

// The hash is a promise to people who verify with other programs: it must not change.
func TestHashIsStable(t *testing.T) {
	r, err := evidence.Chain(7, "01JDA0000000000000000000AB", noon(), evidence.Draft{
		Kind: evidence.KindExercise, Subject: "x", Grade: evidence.Measured, Environment: "staging",
		Digests: map[string]string{"plan": "sha256:00"}, Actor: "bob", Payload: json.RawMessage(`{ "b": 1.0, "a": "<é>" }`),
	}, evidence.Genesis)
	if err != nil {
		t.Fatal(err)
	}
	const want = "ed578eb18e256de8aad5afb479c7797843577d53a653c501a440a83fd0f33ff3"
	if r.Hash != want {
		t.Errorf("hash %s, want %s", r.Hash, want)
	}
}

// A record may travel as JSON, indented or with HTML escapes, and still verifies.
func TestRecordTravels(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		payload, err := json.Marshal(map[string]any{
			"text": rapid.String().Draw(rt, "text"), "float": rapid.Float64().Draw(rt, "float"), "int": rapid.Int32().Draw(rt, "int"),
			rapid.String().Draw(rt, "key"): []any{nil, true, map[string]any{}},
		})
		if err != nil {
			rt.Fatal(err)
		}
		r, err := evidence.Chain(1, "ID", noon(), evidence.Draft{
			Kind: "note", Subject: rapid.String().Draw(rt, "subject"), Payload: payload,
			Digests: rapid.MapOf(rapid.String(), rapid.String()).Draw(rt, "digests"),
		}, evidence.Genesis)
		if err != nil {
			rt.Fatal(err)
		}
		for _, indent := range []string{"", "  "} {
			text, err := json.MarshalIndent(r, "", indent)
			if err != nil {
				rt.Fatal(err)
			}
			var back evidence.Record
			if err := json.Unmarshal(text, &back); err != nil {
				rt.Fatal(err)
			}
			if err := evidence.Verify([]evidence.Record{back}); err != nil {
				rt.Fatalf("%v\n%s", err, text)
			}
		}
	})
}

// Any change of any field of any record is found.
func TestVerifyFindsAnyChange(t *testing.T) {
	whole := chain(t, 9)
	if err := evidence.Verify(whole); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		records := append([]evidence.Record(nil), whole...)
		at := rapid.IntRange(0, len(records)-1).Draw(rt, "record")
		r := records[at]
		other := rapid.StringMatching(`[a-z0-9]{1,64}`).Draw(rt, "other")
		switch field := rapid.IntRange(0, 11).Draw(rt, "field"); field {
		case 0:
			r.Seq += rapid.SampledFrom([]int64{-100, -1, 1, 100}).Draw(rt, "by")
		case 1:
			r.ID += other
		case 2:
			r.Time = r.Time.Add(time.Microsecond)
		case 3:
			r.Kind += other
		case 4:
			r.Subject = other
		case 5:
			r.Grade = evidence.Measured
		case 6:
			r.Environment = other
		case 7:
			r.Digests = map[string]string{other: ""}
		case 8:
			r.Actor = other
		case 9:
			r.Payload = json.RawMessage(`{"i":-1}`)
		case 10:
			r.Prev = other
		case 11:
			r.Hash = other
		}
		records[at] = r
		err := evidence.Verify(records)
		var found evidence.Problems
		if !errors.As(err, &found) {
			rt.Fatal("not found")
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("record %d (", r.Seq)) {
			rt.Fatalf("record %d is not named:\n%v", r.Seq, err)
		}
	})
}

func TestVerifyFindsOtherSpellings(t *testing.T) {
	for _, spelling := range []string{`{"i":0.0}`, `{"i":0e5}`, `{"i":-0}`} {
		records := chain(t, 2)
		records[0].Payload = json.RawMessage(spelling)
		if err := evidence.Verify(records); err == nil || !strings.Contains(err.Error(), "record 1 (note ID01): its payload is not written in its canonical form") {
			t.Errorf("%s: got %v", spelling, err)
		}
	}
}

func TestHead(t *testing.T) {
	records := chain(t, 57)
	key, public := signer(t, 1)
	_, stranger := signer(t, 2)
	head, err := evidence.NewHead("bookstore", "alice", records, noon()).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	const message = `belay chain head
application: bookstore
person: alice
records: 57
hash: sha256:%s
signed: 2026-11-22T12:00:00Z
`
	if got, want := head.Message(), fmt.Sprintf(message, records[56].Hash); got != want {
		t.Errorf("message:\n%s\nwant:\n%s", got, want)
	}
	if err := head.Verify([]string{"not a key", stranger, public}); err != nil {
		t.Error(err)
	}
	if err := head.Verify([]string{stranger}); !errors.Is(err, evidence.ErrKeyNotRegistered) {
		t.Errorf("a stranger's key: got %v", err)
	}
	for name, change := range map[string]func(*evidence.Head){
		"seq": func(h *evidence.Head) { h.Seq-- }, "hash": func(h *evidence.Head) { h.Hash = records[3].Hash },
		"person": func(h *evidence.Head) { h.Person = "bob" }, "time": func(h *evidence.Head) { h.Time = h.Time.Add(time.Hour) },
		"application": func(h *evidence.Head) { h.Application = "x" }, "signature": func(h *evidence.Head) { h.Signature = "" },
	} {
		changed := head
		change(&changed)
		if err := changed.Verify([]string{public}); err == nil {
			t.Errorf("a head with another %s verifies", name)
		}
	}

	for name, test := range map[string]struct {
		records []evidence.Record
		want    string
	}{
		"grown":   {chain(t, 60), ""},
		"same":    {records, ""},
		"cut":     {records[:41], "the ledger ends at 41, but a head signed by alice on 2026-11-22 12:00 UTC saw 57: its tail was cut off"},
		"empty":   {nil, "the ledger ends at 0, but a head signed by alice on 2026-11-22 12:00 UTC saw 57: its tail was cut off"},
		"renewed": {renewed(t, 57), "record 57 (note ID57): its hash is "},
	} {
		err := evidence.Verify(test.records, head)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// renewed makes a chain that is whole in itself but tells another story.
func renewed(t *testing.T, n int) []evidence.Record {
	t.Helper()
	records := chain(t, n)
	prev := evidence.Genesis
	for i, r := range records {
		r.Draft.Actor = "mallory"
		again, err := evidence.Chain(r.Seq, r.ID, r.Time, r.Draft, prev)
		if err != nil {
			t.Fatal(err)
		}
		records[i], prev = again, again.Hash
	}
	return records
}

func TestAgreement(t *testing.T) {
	key, public := signer(t, 1)
	_, stranger := signer(t, 2)
	a := evidence.Agreement{Application: "bookstore", Person: "alice", Role: "stakeholder", Substance: "sha256:00"}
	if err := a.Verify(evidence.KindAgreement, []string{public}); !errors.Is(err, evidence.ErrUnsigned) {
		t.Errorf("unsigned: got %v", err)
	}
	signed, err := a.Sign(evidence.KindAgreement, noon(), key)
	if err != nil {
		t.Fatal(err)
	}
	const want = `belay agreement
application: bookstore
person: alice
role: stakeholder
substance: sha256:00
signed: 2026-11-22T12:00:00Z
`
	if got := signed.Message(evidence.KindAgreement); got != want {
		t.Errorf("message:\n%s\nwant:\n%s", got, want)
	}
	if got := signed.Grade(evidence.KindAgreement, []string{public}); got != evidence.Attested {
		t.Errorf("grade %s, want attested", got)
	}
	if got := signed.Grade(evidence.KindAgreement, []string{stranger}); got != evidence.Claimed {
		t.Errorf("grade with another key %s, want claimed", got)
	}
	if err := signed.Verify(evidence.KindSeen, []string{public}); err == nil {
		t.Error("an agreement passes for another kind")
	}
	changed := signed
	changed.Role, changed.Text = "", "x\nrole: stakeholder"
	if err := changed.Verify(evidence.KindAgreement, []string{public}); err == nil {
		t.Error("a changed agreement verifies")
	}
}

// No value may add a line to the message: then two different agreements would have the same one.
func TestMessageIsUnambiguous(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab:\n\r \"\\é")))
		draw := func(name string) evidence.Agreement {
			return evidence.Agreement{
				Application: "x", Person: text.Draw(rt, name+" person"), Role: text.Draw(rt, name+" role"),
				Substance: text.Draw(rt, name+" substance"), Text: text.Draw(rt, name+" text"), Answers: text.Draw(rt, name+" answers"),
			}
		}
		a, b := draw("a"), draw("b")
		same := a.Person == b.Person && a.Role == b.Role && a.Substance == b.Substance && a.Text == b.Text && a.Answers == b.Answers
		if (a.Message("k") == b.Message("k")) != same {
			rt.Fatalf("%q and %q", a.Message("k"), b.Message("k"))
		}
	})
}
