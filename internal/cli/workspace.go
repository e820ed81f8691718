package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/playbook"
)

// Workspace is the directory that a command works in: the playbook, and .belay beside it. Both are opened when they
// are first asked for.
type Workspace struct {
	// Dir is the directory, absolute.
	Dir string
	// Given is the directory as the person named it, for the commands that Belay suggests.
	Given string

	app      *App
	playbook *playbook.Playbook
	ledger   *sqlite.DB
}

// Workspace returns the workspace at dir; nothing is read yet. Close it when the command ends.
func (app *App) Workspace(dir string) (*Workspace, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find workspace: %w", err)
	}
	return &Workspace{Dir: abs, Given: dir, app: app}, nil
}

// State is the directory of everything that Belay keeps beside the playbook.
func (w *Workspace) State() string { return filepath.Join(w.Dir, ".belay") }

// LedgerPath is the file of the ledger.
func (w *Workspace) LedgerPath() string { return filepath.Join(w.State(), "ledger.db") }

// Playbook loads the playbook, once. An invalid one gives every mistake and exits with Usage.
func (w *Workspace) Playbook() (*playbook.Playbook, error) {
	if w.playbook != nil {
		return w.playbook, nil
	}
	// os.Root: a scenario that is a symbolic link out of the directory is not followed.
	root, err := os.OpenRoot(w.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Hint(Exitf(Usage, "there is no directory %s", w.Dir), "--dir names the directory that holds belay.yaml")
	} else if err != nil {
		return nil, fmt.Errorf("open playbook: %w", err)
	}
	defer root.Close()
	pb, err := playbook.Load(root.FS(), Kinds())
	if err != nil {
		return nil, err
	}
	if mistakes := misplaced(pb); len(mistakes) > 0 {
		return nil, mistakes
	}
	w.playbook = pb
	return pb, nil
}

// Ledger opens the ledger to write to it, once, and makes it when it is not there.
func (w *Workspace) Ledger(ctx context.Context) (*sqlite.DB, error) {
	if w.ledger != nil {
		return w.ledger, nil
	}
	if err := os.MkdirAll(w.State(), 0o755); err != nil {
		return nil, fmt.Errorf("make state directory: %w", err)
	}
	db, err := sqlite.Open(ctx, w.LedgerPath(), w.app.Clock)
	if err != nil {
		return nil, ledgerError(err)
	}
	w.ledger = db
	return db, nil
}

// reading calls read with the ledger as it is. It makes and changes nothing, so it also reads a ledger that cannot be
// written. Without a ledger the error is fs.ErrNotExist.
func (w *Workspace) reading(ctx context.Context, read func(*sqlite.DB) error) (err error) {
	if w.ledger != nil {
		return read(w.ledger)
	}
	db, err := sqlite.OpenReader(ctx, w.LedgerPath(), w.app.Clock)
	if err != nil {
		return ledgerError(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return read(db)
}

// ledgerError adds a way on to the error of a ledger that was not opened.
func ledgerError(err error) error {
	switch {
	case errors.Is(err, sqlite.ErrNoLedger):
		return Hint(err, "--dir names the directory of the playbook; if a ledger was there, put its copy back")
	case errors.Is(err, sqlite.ErrReadOnly):
		return Hint(err, "`belay evidence`, `belay stage` and `belay exercise list` read it; to write, copy the directory to a place that is yours")
	}
	return err
}

// Records reads the ledger without making one: a workspace without a ledger has no records.
func (w *Workspace) Records(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	var records []evidence.Record
	err := w.reading(ctx, func(db *sqlite.DB) (err error) {
		records, err = db.List(ctx, f)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return records, err
}

// Close closes what was opened.
func (w *Workspace) Close() error {
	if w.ledger == nil {
		return nil
	}
	return w.ledger.Close()
}
