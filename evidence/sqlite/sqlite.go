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

	"golang.org/x/sys/unix"
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
	// reader says that it was opened by OpenReader; seen is how the file was then, scratch where a copy is.
	reader  bool
	seen    sight
	scratch string
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
	if err := db.closePool(); err != nil {
		return fmt.Errorf("close ledger %s: %w", db.path, err)
	}
	return nil
}

// present makes sure that a regular file is at path, and makes a new ledger when nothing is.
func present(ctx context.Context, path string) error {
	err := regular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(ctx, path)
	} else if err != nil {
		return err
	}
	return writable(path)
}

// regular makes sure that a file is at path that can be a ledger, before SQLite touches it.
func regular(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return bare(err)
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link, and a ledger never is")
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	}
	return checkHeader(path)
}

// writable makes sure that SQLite can write the file and make its journal beside it. It would say less.
func writable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, bare(err))
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := unix.Access(filepath.Dir(path), unix.W_OK); err != nil {
		return fmt.Errorf("%w: no journal can be made in its directory: %w", ErrReadOnly, err)
	}
	return nil
}

// bare is what the system said, without the path: the caller names it.
func bare(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
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
	pool, err := dial(ctx, path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	}.Encode())
	return pool, reasonFor(path, err)
}

// dial opens the file with SQLite's options.
func dial(ctx context.Context, path, query string) (*sql.DB, error) {
	location := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query}
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

// longest is the longest path that SQLite opens, less the name of a journal.
const longest = 512 - len("-journal")

// reasonFor adds to SQLite's error what it does not say.
func reasonFor(path string, err error) error {
	if err != nil && len(path) > longest {
		return fmt.Errorf("its path has %d bytes, and SQLite opens %d at most: %w", len(path), longest, err)
	}
	return err
}
