package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/belay-dr/belay/internal/clock"
)

// ErrReadOnly says that a ledger was opened for reading, or can only be read.
var ErrReadOnly = errors.New("it can only be read")

// OpenReader opens the ledger at path for reading alone. It makes and changes nothing, and so also reads a ledger that
// nobody here may write, such as an auditor's copy. What is not there is an error that is fs.ErrNotExist.
func OpenReader(ctx context.Context, path string, clk clock.Clock) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	db := &DB{path: abs, clk: clk, reader: true}
	if err := db.reopen(ctx); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	return db, nil
}

// reopen chooses how to read what is there now.
//
// Without a journal beside it the file is all there is, and SQLite is told that it does not change (settled looks
// afterwards whether that was so). With a journal and its index a reader joins the writers. With a journal that has no
// index, as in a copy or after a power loss, an index would have to be made: a copy elsewhere is read.
func (db *DB) reopen(ctx context.Context) error {
	if err := errors.Join(db.closePool(), regular(db.path)); err != nil {
		return err
	}
	db.seen = look(db.path)
	path, query := db.path, "immutable=1&mode=ro"
	switch {
	case db.seen.journal && exists(db.path+"-shm"):
		query = "mode=ro&_pragma=busy_timeout(10000)"
	case db.seen.journal:
		dir, err := os.MkdirTemp("", "belay-ledger-*")
		if err != nil {
			return fmt.Errorf("copy it to be read: %w", err)
		}
		db.scratch, path, query = dir, filepath.Join(dir, "ledger.db"), "mode=rw"
		if err := errors.Join(copyFile(path, db.path), copyFile(path+"-wal", db.path+"-wal")); err != nil {
			return errors.Join(fmt.Errorf("copy it to be read: %w", err), db.closePool())
		}
	}
	pool, err := dial(ctx, path, query)
	if err != nil {
		return errors.Join(reasonFor(db.path, err), db.closePool())
	}
	db.db = pool
	if err := checkSchema(ctx, pool); err != nil {
		return errors.Join(err, db.closePool())
	}
	return nil
}

// closePool closes what reopen has opened.
func (db *DB) closePool() error {
	var err error
	if db.db != nil {
		err, db.db = db.db.Close(), nil
	}
	if db.scratch != "" {
		err, db.scratch = errors.Join(err, os.RemoveAll(db.scratch)), ""
	}
	return err
}

// settled calls read, again when another process wrote to a file that SQLite was told does not change.
func (db *DB) settled(ctx context.Context, read func() error) error {
	if !db.reader {
		return read()
	}
	const tries = 20
	for n := 1; ; n++ {
		var err error
		if db.db == nil {
			err = db.reopen(ctx)
		}
		if err == nil {
			err = read()
		}
		if (db.seen.journal && db.scratch == "") || look(db.path) == db.seen || n == tries {
			return err
		}
		if err := db.closePool(); err != nil {
			return err
		}
	}
}

// sight is what shows that somebody wrote to a file.
type sight struct {
	size     int64
	modified time.Time
	journal  bool
}

func look(path string) sight {
	var s sight
	if info, err := os.Lstat(path); err == nil {
		s.size, s.modified = info.Size(), info.ModTime()
	}
	s.journal = exists(path + "-wal")
	return s
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
