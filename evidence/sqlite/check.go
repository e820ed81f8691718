package sqlite

import (
	"context"
	"fmt"

	"github.com/belay-dr/belay/evidence"
)

// Verify reads the whole ledger and checks the file, the chain and the signed heads. The error is not nil when
// something is wrong; evidence.AsProblems lists what.
func (db *DB) Verify(ctx context.Context, heads ...evidence.Head) (records []evidence.Record, err error) {
	err = db.settled(ctx, func() (err error) {
		records, err = db.verify(ctx, heads...)
		return err
	})
	return records, err
}

func (db *DB) verify(ctx context.Context, heads ...evidence.Head) ([]evidence.Record, error) {
	problems := db.check(ctx)
	// The end is read first: other processes may append meanwhile, and then there are more records than it says.
	end, err := db.end(ctx)
	if err != nil {
		return nil, append(problems, evidence.Problem{Rule: evidence.RuleStore, Message: fmt.Sprintf("the end of the chain cannot be read: %v", err)})
	}
	records, err := db.list(ctx, evidence.Filter{})
	if err != nil {
		err = fmt.Errorf("read ledger %s: %w", db.path, err)
		return nil, append(problems, evidence.AsProblems(err)...)
	}
	problems = append(problems, evidence.AsProblems(evidence.Verify(records, heads...))...)
	problems = append(problems, checkEnd(records, end)...)
	if len(problems) > 0 {
		return records, problems
	}
	return records, nil
}

// check asks SQLite whether the file is whole, and whether the triggers are still there.
func (db *DB) check(ctx context.Context) evidence.Problems {
	var problems evidence.Problems
	problem := func(format string, args ...any) {
		problems = append(problems, evidence.Problem{Rule: evidence.RuleStore, Message: fmt.Sprintf(format, args...)})
	}
	rows, err := db.db.QueryContext(ctx, "PRAGMA integrity_check(20)")
	if err != nil {
		problem("the file is damaged: %v", err)
		return problems
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			problem("the file is damaged: %v", err)
			return problems
		}
		if line != "ok" {
			problem("the file is damaged: %s", line)
		}
	}
	if err := rows.Err(); err != nil {
		problem("the file is damaged: %v", err)
	}
	for _, name := range triggers() {
		var n int
		if err := db.db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name = $1", name).Scan(&n); err != nil {
			problem("the file is damaged: %v", err)
		} else if n == 0 {
			problem("the trigger %s, which keeps the ledger append-only, was removed", name)
		}
	}
	return problems
}

// end is where the writers say that the chain ends.
type end struct {
	seq  int64
	hash string
}

func (db *DB) end(ctx context.Context) (end, error) {
	var e end
	err := db.db.QueryRowContext(ctx, "SELECT seq, hash FROM chain WHERE one = 1").Scan(&e.seq, &e.hash)
	return e, err
}

// checkEnd compares what the writers kept with the records.
func checkEnd(records []evidence.Record, e end) evidence.Problems {
	last := int64(0)
	for _, r := range records {
		last = max(last, r.Seq)
		if r.Seq == e.seq && r.Hash != e.hash {
			return evidence.Problems{{
				Seq: r.Seq, ID: r.ID, Kind: r.Kind, Rule: evidence.RuleStore,
				Message: "its hash is not the one that its writer kept",
			}}
		}
	}
	if last < e.seq {
		return evidence.Problems{{Rule: evidence.RuleStore, Message: fmt.Sprintf(
			"the ledger ends at %d, but its writers had reached %d: its tail was cut off", last, e.seq)}}
	}
	return nil
}
