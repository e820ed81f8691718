// Package sqlite keeps a ledger in one SQLite file.
//
// It must never change or remove a record, and never say that a record is written before it is on disk.
// Start at Open.
package sqlite

import (
	"context"
	"errors"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/clock"
)

// DB is a ledger in a file. Several processes may have the same file open.
type DB struct{}

// Open opens the ledger at path and makes it when it is not there. Times come from clk.
func Open(ctx context.Context, path string, clk clock.Clock) (*DB, error) {
	return nil, errors.New("not built yet")
}

// Close releases the file.
func (db *DB) Close() error { return nil }

// Append chains the draft and returns when it is on disk.
func (db *DB) Append(ctx context.Context, d evidence.Draft) (evidence.Record, error) {
	return evidence.Record{}, errors.New("not built yet")
}

// List returns the matching records in order.
func (db *DB) List(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	return nil, errors.New("not built yet")
}
