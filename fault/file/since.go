package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// since is the loss of everything since a snapshot: a copy of the snapshot takes the place of the data in one step, and the
// data waits beside it. The copy is made first, so the snapshot itself is never touched.
type since struct{ Loss }

// sinceUndo is all about the exchange. The fingerprint after the injection is the value of the copy: what still has that
// value may be put away without losing anything.
type sinceUndo struct {
	Path     string `json:"path"`
	Snapshot string `json:"snapshot"`
	// Stash is where the copy is made, and where the data waits after the exchange.
	Stash string `json:"stash"`
	Was   inode  `json:"was"`
	// Value is the digest of the copy. It is saved before the exchange.
	Value string `json:"value,omitempty"`
}

func (s since) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	real, st, err := settlePath(s.Path)
	if err != nil {
		return fault.Plan{}, err
	}
	snapshot, err := filepath.EvalSymlinks(s.Snapshot)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("find snapshot: %w", err)
	}
	old, err := os.Lstat(snapshot)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("find snapshot: %w", err)
	}
	u := sinceUndo{Path: real, Snapshot: snapshot, Stash: stashName(real, ask.ID), Was: inodeOf(st)}
	switch {
	case !st.Mode().IsRegular() && !st.IsDir():
		return fault.Plan{}, fmt.Errorf("%s is neither a file nor a directory", real)
	case old.IsDir() != st.IsDir() || old.Mode().IsRegular() != st.Mode().IsRegular():
		return fault.Plan{}, fmt.Errorf("%s and its snapshot %s must both be files, or both directories", real, snapshot)
	case snapshot == real || below(snapshot, real) || below(real, snapshot):
		return fault.Plan{}, fmt.Errorf("%s and its snapshot %s are one inside the other", real, snapshot)
	}
	if _, err := os.Lstat(u.Stash); !errors.Is(err, fs.ErrNotExist) {
		return fault.Plan{}, fmt.Errorf("%s is in the way", u.Stash)
	}
	entries, size, err := treeSize(ctx, snapshot)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("read snapshot: %w", err)
	}
	var full unix.Statfs_t
	if unix.Statfs(filepath.Dir(real), &full) == nil && uint64(size) > full.Bavail*uint64(full.Bsize) {
		return fault.Plan{}, fmt.Errorf("no room beside %s for a copy of the snapshot, which has %d bytes", real, size)
	}
	if err := s.differs(ctx, real, snapshot); err != nil {
		return fault.Plan{}, err
	}
	b, err := json.Marshal(u)
	return fault.Plan{
		Target: fmt.Sprintf("lose what was done in %s since the snapshot %s", real, snapshot),
		Class:  fault.Restore, Fidelity: fault.Data, Touches: []string{real}, Undo: b, Mechanism: "copy, then exchange in one step",
		Changes: []string{
			fmt.Sprintf("copy %s (%d files and directories, %d bytes) to %s", snapshot, entries, size, u.Stash),
			fmt.Sprintf("exchange %s with %s in one step", real, u.Stash),
		},
		Radius: []string{"whoever opens " + real + " from then on; what is open already still is the data of now"},
	}, err
}

// differs refuses a snapshot that is what the data is: its loss would have no effect.
func (s since) differs(ctx context.Context, real, snapshot string) error {
	if _, _, err := treeSize(ctx, real); err != nil {
		return nil // too large or too special to be compared; the data is only moved
	}
	now, err := digestTree(ctx, real)
	if err != nil {
		return err
	}
	then, err := digestTree(ctx, snapshot)
	if err != nil {
		return err
	}
	if now == then {
		return fmt.Errorf("%s is just as its snapshot %s: nothing would be lost", real, snapshot)
	}
	return nil
}

func readSince(undo json.RawMessage) (sinceUndo, error) {
	var u sinceUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (s since) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readSince(undo)
	if err != nil {
		return err
	}
	if same, _, err := u.Was.is(u.Path); err != nil || !same {
		return errors.Join(err, fmt.Errorf("%s was replaced since it was planned", u.Path))
	}
	if err := copyTree(ctx, u.Snapshot, u.Stash); err != nil {
		return err
	}
	if u.Value, err = digestTree(ctx, u.Stash); err != nil {
		return err
	}
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(b); err != nil {
		return err
	}
	if err := exchange(u.Path, u.Stash); err != nil {
		return fmt.Errorf("exchange %s with its snapshot: %w", u.Path, err)
	}
	if same, _, err := u.Was.is(u.Stash); err != nil || !same {
		// It was replaced between the look and the exchange. That is not ours to keep.
		return errors.Join(err, exchange(u.Path, u.Stash), fmt.Errorf("%s was replaced since it was planned", u.Path))
	}
	return syncDir(filepath.Dir(u.Path))
}

func (s since) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readSince(undo)
	if err != nil {
		return "", err
	}
	if same, _, err := u.Was.is(u.Stash); err != nil || !same {
		return "", errors.Join(err, fmt.Errorf("the data of %s is not where it was put aside", u.Path))
	}
	// Somebody may be at work in it already; only its root has to be another one.
	if same, there, err := u.Was.is(u.Path); err != nil || same || !there {
		return "", errors.Join(err, fmt.Errorf("%s is not the snapshot", u.Path))
	}
	entries, size, err := treeSize(ctx, u.Path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is a copy of the snapshot: %d files and directories, %d bytes", u.Path, entries, size), nil
}

// Revert exchanges them again if nothing has been done in the copy, and deletes the copy.
func (s since) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readSince(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	home, taken, err := u.Was.is(u.Path)
	if err != nil {
		return fault.Outcome{}, err
	}
	aside, there, err := u.Was.is(u.Stash)
	if err != nil {
		return fault.Outcome{}, err
	}
	switch {
	case home:
		return fault.Outcome{}, u.clear()
	case !aside && there:
		return fault.Outcome{Superseded: []string{fmt.Sprintf("%s and %s were replaced by somebody else since", u.Path, u.Stash)}, Kept: []string{u.Stash}}, nil
	case !aside:
		return fault.Outcome{Superseded: []string{u.Path + " was replaced by somebody else since, and the original is no longer where it was put aside"}}, nil
	case !taken:
		return u.superseded("was removed by somebody else since"), nil
	}
	now, err := digestTree(ctx, u.Path)
	if err != nil && ctx.Err() != nil {
		return fault.Outcome{}, err
	}
	if err != nil || now != u.Value {
		return u.superseded("was worked on since"), nil
	}
	if err := exchange(u.Path, u.Stash); err != nil {
		return fault.Outcome{}, err
	}
	return fault.Outcome{}, u.clear()
}

func (u sinceUndo) superseded(why string) fault.Outcome {
	return fault.Outcome{Superseded: []string{u.Path + " " + why}, Kept: []string{u.Stash}}
}

// clear deletes the copy, whole or in part. The data is at home when it is called.
func (u sinceUndo) clear() error {
	if same, there, err := u.Was.is(u.Stash); err != nil || same || !there {
		return err
	}
	if err := os.RemoveAll(u.Stash); err != nil {
		return fmt.Errorf("delete copy of the snapshot: %w", err)
	}
	return syncDir(filepath.Dir(u.Stash))
}

func (s since) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readSince(undo)
	if err != nil {
		return nil, err
	}
	if _, there, err := u.Was.is(u.Stash); err != nil || !there {
		return nil, err
	}
	return []string{u.Stash}, nil
}

// Discard deletes the data that was put aside, when a person asks for it.
func (s since) Discard(_ context.Context, undo json.RawMessage, kept []string) ([]string, error) {
	u, err := readSince(undo)
	if err != nil {
		return nil, err
	}
	m := move{Path: u.Path, Stash: u.Stash, Was: u.Was}
	return m.discard(kept)
}
