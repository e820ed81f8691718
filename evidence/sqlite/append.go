package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/belay-dr/belay/evidence"
)

// Append chains the draft and returns when it is on disk: the transaction that takes the end of the chain, writes the
// record and moves the end has been committed and synced. After an error the record may be there or not; List tells.
func (db *DB) Append(ctx context.Context, d evidence.Draft) (evidence.Record, error) {
	if db.reader {
		return evidence.Record{}, fmt.Errorf("append %s to ledger %s: %w", d.Kind, db.path, ErrReadOnly)
	}
	r, err := db.append(ctx, d)
	if err != nil {
		return evidence.Record{}, fmt.Errorf("append %s to ledger %s: %w", d.Kind, db.path, err)
	}
	return r, nil
}

func (db *DB) append(ctx context.Context, d evidence.Draft) (evidence.Record, error) {
	tx, err := db.db.BeginTx(ctx, nil)
	if err != nil {
		return evidence.Record{}, err
	}
	defer tx.Rollback() // after Commit it does nothing

	var seq int64
	var last, prev string
	if err := tx.QueryRowContext(ctx, `UPDATE chain SET seq = seq + 1 WHERE one = 1 RETURNING seq, id, hash`).Scan(&seq, &last, &prev); err != nil {
		return evidence.Record{}, err
	}
	now := db.clk.Now()
	id, err := nextID(last, now, db.random)
	if err != nil {
		return evidence.Record{}, err
	}
	r, err := evidence.Chain(seq, id, now, d, prev)
	if err != nil {
		return evidence.Record{}, err
	}
	digests := ""
	if len(r.Digests) > 0 {
		text, err := json.Marshal(r.Digests)
		if err != nil {
			return evidence.Record{}, err
		}
		digests = string(text)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO record
		(seq, id, time, kind, subject, grade, environment, digests, actor, payload, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		r.Seq, r.ID, r.Time.UnixMicro(), r.Kind, r.Subject, string(r.Grade), r.Environment, digests, r.Actor,
		string(r.Payload), r.Prev, r.Hash); err != nil {
		return evidence.Record{}, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE chain SET id = $1, hash = $2 WHERE one = 1`, r.ID, r.Hash); err != nil {
		return evidence.Record{}, err
	}
	return r, tx.Commit()
}

// nextID makes a ULID that sorts after last, also when the wall clock stands still or was set back and when other
// processes write.
func nextID(last string, now time.Time, random io.Reader) (string, error) {
	ms := ulid.Timestamp(now)
	if last != "" {
		before, err := ulid.ParseStrict(last)
		if err != nil {
			return "", fmt.Errorf("read last id %q: %w", last, err)
		}
		if before.Time() >= ms {
			if following, ok := increment(before); ok {
				return following.String(), nil
			}
			ms = before.Time() + 1
		}
	}
	id, err := ulid.New(ms, random)
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}

// increment adds one to the random part; ok is false when it is at its end.
func increment(id ulid.ULID) (next ulid.ULID, ok bool) {
	const timeBytes = 6
	for i := len(id) - 1; i >= timeBytes; i-- {
		id[i]++
		if id[i] != 0 {
			return id, true
		}
	}
	return id, false
}
