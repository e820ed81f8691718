package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/evidence"
)

// List returns the matching records in order. It reads what is there and checks nothing: evidence.Verify does.
func (db *DB) List(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	var records []evidence.Record
	err := db.settled(ctx, func() (err error) {
		records, err = db.list(ctx, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger %s: %w", db.path, err)
	}
	return records, nil
}

func (db *DB) list(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	// Without After there is no condition on seq: one below 1 is a forgery, and must be seen to be named.
	where, args := []string{"TRUE"}, []any{}
	if f.After > 0 {
		where, args = []string{"seq > $1"}, []any{f.After}
	}
	if f.Subject != "" {
		args = append(args, f.Subject)
		where = append(where, fmt.Sprintf("subject = $%d", len(args)))
	}
	if len(f.Kinds) > 0 {
		marks := make([]string, len(f.Kinds))
		for i, kind := range f.Kinds {
			args = append(args, kind)
			marks[i] = fmt.Sprintf("$%d", len(args))
		}
		where = append(where, "kind IN ("+strings.Join(marks, ", ")+")")
	}
	rows, err := db.db.QueryContext(ctx, `SELECT seq, id, time, kind, subject, grade, environment, digests, actor, payload, prev, hash
		FROM record WHERE `+strings.Join(where, " AND ")+` ORDER BY seq`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var records []evidence.Record
	for rows.Next() {
		var r evidence.Record
		var micros int64
		var digests, payload string
		if err := rows.Scan(&r.Seq, &r.ID, &micros, &r.Kind, &r.Subject, &r.Grade, &r.Environment, &digests, &r.Actor,
			&payload, &r.Prev, &r.Hash); err != nil {
			return nil, err
		}
		r.Time = time.UnixMicro(micros).UTC()
		r.Digests = readDigests(digests)
		if payload != "" {
			r.Payload = json.RawMessage(payload)
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// readDigests reads the column. Text that is no JSON object is kept under a name that no writer uses, so that the
// record can be listed and its hash shows the damage.
func readDigests(text string) map[string]string {
	if text == "" {
		return nil
	}
	var digests map[string]string
	if err := json.Unmarshal([]byte(text), &digests); err != nil || digests == nil {
		return map[string]string{"": text}
	}
	return digests
}
