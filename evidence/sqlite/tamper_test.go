package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/clock"
)

const tamperedRecords = 12

// filled makes a ledger of tamperedRecords records and returns it with a second way in, past the triggers.
func filled(t *testing.T) (*sqlite.DB, *sql.DB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqlite.Open(t.Context(), path, clock.System{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i := range tamperedRecords {
		_, err := db.Append(t.Context(), evidence.Draft{
			Kind: evidence.KindExercise, Subject: fmt.Sprintf("exercise-%d", i), Grade: evidence.Measured, Environment: "staging",
			Digests: map[string]string{"plan": strings.Repeat("ab", 32), "é": "x"}, Actor: "alice",
			Payload: json.RawMessage(fmt.Sprintf(`{"verdict":"PASS","outage_ms":[%d,1e21],"ratio":0.30000000000000004,"text":"é日本 <&>","i":%d}`, i*100, i)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return db, raw
}

// loosen removes the triggers, as somebody who edits the file would, and puts them back afterwards.
func loosen(t *testing.T, raw *sql.DB, edit func()) {
	t.Helper()
	var statements, names []string
	rows, err := raw.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name, statement string
		if err := rows.Scan(&name, &statement); err != nil {
			t.Fatal(err)
		}
		names, statements = append(names, name), append(statements, statement)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		run(t, raw, "DROP TRIGGER "+name)
	}
	edit()
	for _, statement := range statements {
		run(t, raw, statement)
	}
}

func run(t *testing.T, raw *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := raw.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func problems(t *testing.T, db *sqlite.DB, heads ...evidence.Head) []string {
	t.Helper()
	_, err := db.Verify(t.Context(), heads...)
	var lines []string
	for _, p := range evidence.AsProblems(err) {
		lines = append(lines, string(p.Rule)+" "+p.Error())
	}
	return lines
}

func TestTriggers(t *testing.T) {
	db, raw := filled(t)
	for _, statement := range []string{
		"UPDATE record SET payload = '{}' WHERE seq = 3",
		"DELETE FROM record WHERE seq = 12",
		"INSERT OR REPLACE INTO record SELECT seq, id, time, kind, 'other', grade, environment, digests, actor, payload, prev, hash FROM record WHERE seq = 3",
		"UPDATE chain SET seq = 3",
		"DELETE FROM chain",
	} {
		if _, err := raw.Exec(statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v, want it refused", statement, err)
		}
	}
	if got := problems(t, db); len(got) != 0 {
		t.Errorf("after refused edits: %v", got)
	}
	run(t, raw, "DROP TRIGGER record_no_update")
	if got := problems(t, db); len(got) != 1 || got[0] != "store the trigger record_no_update, which keeps the ledger append-only, was removed" {
		t.Errorf("got %v", got)
	}
}

// Every single changed byte of every column of any record is found, and the record is named.
func TestFlippedBytes(t *testing.T) {
	db, raw := filled(t)
	rng := rand.New(rand.NewPCG(1, 2))
	columns := []string{"id", "kind", "subject", "grade", "environment", "digests", "actor", "payload", "prev", "hash", "time", "seq"}
	loosen(t, raw, func() {
		for n := range 600 {
			column, seq := columns[n%len(columns)], 1+rng.Int64N(tamperedRecords)
			var before any
			if err := raw.QueryRow("SELECT "+column+" FROM record WHERE seq = $1", seq).Scan(&before); err != nil {
				t.Fatal(err)
			}
			var after any
			switch value := before.(type) {
			case string:
				b := []byte(value)
				at := rng.IntN(len(b))
				b[at] ^= byte(1 << rng.IntN(8))
				if b[at] == 0 {
					b[at] = 1
				}
				after = string(b)
			case int64:
				after = value ^ int64(1)<<rng.IntN(62)
			}
			if column == "seq" && after.(int64) <= tamperedRecords {
				after = int64(100) // the number must be free
			}
			run(t, raw, "UPDATE record SET "+column+" = $1 WHERE seq = $2", after, seq)
			found := strings.Join(problems(t, db), "\n")
			named := fmt.Sprintf("record %d (", seq)
			if column == "seq" {
				named = fmt.Sprintf("record %d ", after)
				run(t, raw, "UPDATE record SET seq = $1 WHERE seq = $2", seq, after)
			} else {
				run(t, raw, "UPDATE record SET "+column+" = $1 WHERE seq = $2", before, seq)
			}
			if !strings.Contains(found, named) {
				t.Errorf("%s of record %d changed from %q to %q: found only\n%s", column, seq, before, after, found)
			}
		}
	})
	if got := problems(t, db); len(got) != 0 {
		t.Errorf("after putting everything back: %v", got)
	}
}

func TestTampering(t *testing.T) {
	tests := map[string]struct {
		edit func(t *testing.T, raw *sql.DB)
		want []string // each in some line
		rest int      // no more lines than this
	}{
		"tail deleted": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "DELETE FROM record WHERE seq > 9")
		}, []string{
			"store the ledger ends at 9, but its writers had reached 12: its tail was cut off",
			"head the ledger ends at 9",
		}, 2},
		"tail deleted and the end moved back, against a head": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "DELETE FROM record WHERE seq > 9")
			run(t, raw, "UPDATE chain SET (seq, id, hash) = (SELECT seq, id, hash FROM record WHERE seq = 9)")
		}, []string{"head the ledger ends at 9, but a head signed by alice on 2026-11-22 06:00 UTC saw 12: its tail was cut off"}, 1},
		"everything deleted": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "DELETE FROM record")
			run(t, raw, "UPDATE chain SET seq = 0, id = '', hash = $1", evidence.Genesis)
		}, []string{"head the ledger ends at 0, but a head signed by alice"}, 1},
		"first records deleted": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "DELETE FROM record WHERE seq < 4")
		}, []string{"order record 4 (exercise.closed ", "records 1 to 3 are missing before it"}, 1},
		"one in the middle deleted": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "DELETE FROM record WHERE seq = 5")
		}, []string{"order record 6 (", "record 5 is missing before it"}, 1},
		"two swapped": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "UPDATE record SET seq = 100 WHERE seq = 5")
			run(t, raw, "UPDATE record SET seq = 5 WHERE seq = 6")
			run(t, raw, "UPDATE record SET seq = 6 WHERE seq = 100")
		}, []string{"content record 5 (", "content record 6 (", "link record 5 (", "link record 6 (", "link record 7 ("}, 5},
		"a payload edited and its own hash recomputed": {func(t *testing.T, raw *sql.DB) {
			rehash(t, raw, 5)
		}, []string{"link record 6 (exercise.closed "}, 1},
		"the last payload edited and its own hash recomputed": {func(t *testing.T, raw *sql.DB) {
			rehash(t, raw, 12)
		}, []string{"head record 12 (exercise.closed ", "store record 12 ("}, 2},
		"two damaged": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "UPDATE record SET actor = 'mallory' WHERE seq IN (2, 11)")
		}, []string{"content record 2 (", "content record 11 ("}, 2},
		"payload no longer json": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "UPDATE record SET payload = '{' WHERE seq = 2")
		}, []string{"form record 2 (exercise.closed "}, 1},
		"digests no longer json": {func(t *testing.T, raw *sql.DB) {
			run(t, raw, "UPDATE record SET digests = '{' WHERE seq = 2")
		}, []string{"content record 2 (exercise.closed "}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			db, raw := filled(t)
			records, err := db.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			head := evidence.NewHead("bookstore", "alice", records, time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC))
			loosen(t, raw, func() { test.edit(t, raw) })
			got := problems(t, db, head)
			for _, want := range test.want {
				if !strings.Contains(strings.Join(got, "\n"), want) {
					t.Errorf("%q is not among\n%s", want, strings.Join(got, "\n"))
				}
			}
			if len(got) > test.rest {
				t.Errorf("more problems than there are:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

// rehash changes a verdict and makes the record's own hash fit again.
func rehash(t *testing.T, raw *sql.DB, seq int64) {
	t.Helper()
	run(t, raw, `UPDATE record SET payload = replace(payload, '"PASS"', '"FAIL"') WHERE seq = $1`, seq)
	var r evidence.Record
	var micros int64
	var digests, payload string
	if err := raw.QueryRow("SELECT seq, id, time, kind, subject, grade, environment, digests, actor, payload, prev FROM record WHERE seq = $1", seq).
		Scan(&r.Seq, &r.ID, &micros, &r.Kind, &r.Subject, &r.Grade, &r.Environment, &digests, &r.Actor, &payload, &r.Prev); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(digests), &r.Digests); err != nil {
		t.Fatal(err)
	}
	r.Time, r.Payload = time.UnixMicro(micros), json.RawMessage(payload)
	hash, err := r.Sum()
	if err != nil {
		t.Fatal(err)
	}
	run(t, raw, "UPDATE record SET hash = $1 WHERE seq = $2", hash, seq)
}

// A flipped bit anywhere in the file is named, or it lies where nothing is kept and all records read the same.
func TestFlippedFile(t *testing.T) {
	db, _ := filled(t)
	want, err := db.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil { // folds the journal into the file
		t.Fatal(err)
	}
	whole, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	path := filepath.Join(t.TempDir(), "ledger.db")
	found := 0
	for range 400 {
		at, bit := rng.IntN(len(whole)), byte(1<<rng.IntN(8))
		damaged := slices.Clone(whole)
		damaged[at] ^= bit
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := verifyFile(t, path)
		if err != nil {
			found++
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("byte %d ^ %d: nothing was found, and the records differ:\n%s", at, bit, diff)
		}
	}
	t.Logf("%d of 400 flipped bits were found, the others changed nothing that is kept", found)
	if found == 0 {
		t.Error("no flipped bit was found")
	}
}

func verifyFile(t *testing.T, path string) ([]evidence.Record, error) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, clock.System{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Verify(t.Context())
}
