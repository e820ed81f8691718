package cli

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/playbook"
)

// Workspace is the directory that a command works in: the playbook, and .belay beside it. Both are opened when they
// are first asked for.
type Workspace struct {
	// Dir is the directory, absolute.
	Dir string

	app      *App
	playbook *playbook.Playbook
	ledger   ledger
}

// ledger is an evidence.Ledger that is closed.
type ledger interface {
	evidence.Ledger
	Close() error
}

// Workspace returns the workspace at dir; nothing is read yet. Close it when the command ends.
func (app *App) Workspace(dir string) (*Workspace, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Workspace{Dir: abs, app: app}, nil
}

// State is the directory of everything that Belay keeps beside the playbook.
func (w *Workspace) State() string { return filepath.Join(w.Dir, ".belay") }

// LedgerPath is the file of the ledger.
func (w *Workspace) LedgerPath() string { return filepath.Join(w.State(), "ledger.db") }

// Playbook loads the playbook, once. The error lists every mistake and exits with Usage.
func (w *Workspace) Playbook() (*playbook.Playbook, error) {
	return nil, errors.New("load playbook: not wired yet")
}

// Ledger opens the ledger, once, and makes it when it is not there.
func (w *Workspace) Ledger(ctx context.Context) (evidence.Ledger, error) {
	return nil, errors.New("open ledger: not wired yet")
}

// Records reads the ledger without making one: a workspace without a ledger has no records.
func (w *Workspace) Records(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	return nil, errors.New("read ledger: not wired yet")
}

// Close closes what was opened.
func (w *Workspace) Close() error {
	if w.ledger == nil {
		return nil
	}
	return w.ledger.Close()
}
