// Package sqlite keeps a ledger in one SQLite file.
//
// It must never change or remove a record, and never say that a record is written before it is on disk. The file
// belongs on a local disk: SQLite's locks do not hold on network file systems.
// Start at Open.
package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/belay-dr/belay/internal/clock"
)

// DB is a ledger in a file. Several processes may have the same file open.
type DB struct {
	path string
	db   *sql.DB
	clk  clock.Clock
	// random is where the random part of an ID comes from.
	random io.Reader
}

// Open opens the ledger at path and makes it when it is not there, readable by its owner alone. Times come from clk.
// Open refuses a symbolic link, a file that is no ledger, and a ledger of a newer schema.
func Open(ctx context.Context, path string, clk clock.Clock) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	if err := present(ctx, abs); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	pool, err := connect(ctx, abs)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	if err := checkSchema(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", path, err), pool.Close())
	}
	return &DB{path: abs, db: pool, clk: clk, random: rand.Reader}, nil
}

// Path is the file, absolute.
func (db *DB) Path() string { return db.path }

// Close releases the file.
func (db *DB) Close() error {
	if err := db.db.Close(); err != nil {
		return fmt.Errorf("close ledger %s: %w", db.path, err)
	}
	return nil
}

// present makes sure that a regular file is at path, and makes a new ledger when nothing is.
func present(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(ctx, path)
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link, and a ledger never is")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return nil
}

// create makes a whole ledger beside path and then links it into place, so that nobody ever sees half of one. When
// another process is faster, its ledger stays.
func create(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// os.CreateTemp makes the file with mode 0600; SQLite gives its journal files the mode of the database.
	f, err := os.CreateTemp(dir, ".ledger-*.new")
	if err != nil {
		return err
	}
	draft := f.Name()
	defer os.Remove(draft)
	if err := f.Close(); err != nil {
		return err
	}
	pool, err := connect(ctx, draft)
	if err != nil {
		return err
	}
	if _, err := pool.ExecContext(ctx, schema); err != nil {
		return errors.Join(err, pool.Close())
	}
	if err := pool.Close(); err != nil {
		return err
	}
	if err := os.Link(draft, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func connect(ctx context.Context, path string) (*sql.DB, error) {
	location := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	}.Encode()}
	pool, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(4)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return pool, nil
}
