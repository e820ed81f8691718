package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// away moves files or directories out of their places, and back while those are still free.
type away struct {
	paths    []string
	verb     string
	fidelity fault.Fidelity
}

// awayUndo says what was where. Its fingerprint after the injection is: every place is empty.
type awayUndo struct {
	Moved []move `json:"moved"`
	// Done says that all moves were made.
	Done bool `json:"done"`
}

type move struct {
	Path  string `json:"path"`
	Stash string `json:"stash"`
	Was   inode  `json:"was"`
}

func (a away) Plan(_ context.Context, ask fault.Ask) (fault.Plan, error) {
	var undo awayUndo
	p := fault.Plan{Class: fault.Restore, Fidelity: a.fidelity}
	for n, path := range a.paths {
		real, st, err := settlePath(path)
		if n > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fault.Plan{}, err
		}
		m := move{Path: real, Stash: stashName(real, ask.ID), Was: inodeOf(st)}
		if _, err := os.Lstat(m.Stash); !errors.Is(err, fs.ErrNotExist) {
			return fault.Plan{}, fmt.Errorf("%s is in the way", m.Stash)
		}
		undo.Moved = append(undo.Moved, m)
		p.Changes = append(p.Changes, fmt.Sprintf("move %s to %s", m.Path, m.Stash))
		p.Touches = append(p.Touches, m.Path)
	}
	p.Target = a.verb + " " + strings.Join(p.Touches, ", ")
	var err error
	p.Undo, err = json.Marshal(undo)
	return p, err
}

func readAway(undo json.RawMessage) (awayUndo, error) {
	var u awayUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (a away) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readAway(undo)
	if err != nil {
		return err
	}
	for _, m := range u.Moved {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.out(); err != nil {
			return err
		}
	}
	u.Done = true
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// out moves the file aside, if it is still the one of the plan.
func (m move) out() error {
	if same, there, err := m.Was.is(m.Path); err != nil || there && !same {
		return errors.Join(err, fmt.Errorf("%s was replaced since it was planned", m.Path))
	}
	if err := moveNew(m.Path, m.Stash); err != nil {
		return err
	}
	if same, _, err := m.Was.is(m.Stash); err != nil || !same {
		// It was exchanged between the plan and now. What we moved is not ours to keep.
		return errors.Join(err, moveNew(m.Stash, m.Path), fmt.Errorf("%s was replaced since it was planned", m.Path))
	}
	return syncDir(filepath.Dir(m.Path))
}

func (a away) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readAway(undo)
	if err != nil {
		return "", err
	}
	var out []string
	for _, m := range u.Moved {
		if _, there, err := m.Was.is(m.Path); err != nil || there {
			return "", errors.Join(err, fmt.Errorf("%s is still there", m.Path))
		}
		if same, _, err := m.Was.is(m.Stash); err != nil || !same {
			return "", errors.Join(err, fmt.Errorf("%s is not where it was put aside", m.Path))
		}
		out = append(out, m.Path+" is gone")
	}
	return strings.Join(out, ", "), nil
}

// Revert moves everything back, last first, so that a database reappears after its side files. If one place is taken,
// nothing is moved: it may be the recovery's.
func (a away) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readAway(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	back, out, err := u.look()
	if err != nil || len(out.Superseded) > 0 {
		return out, err
	}
	slices.Reverse(back)
	for n, m := range back {
		err := moveNew(m.Stash, m.Path)
		if errors.Is(err, fs.ErrExist) {
			// Somebody was faster. What went back already belongs to this one, so it goes aside again.
			for _, before := range back[:n] {
				err = errors.Join(err, before.out())
			}
			_, out, lookErr := u.look()
			if len(out.Superseded) > 0 && lookErr == nil {
				return out, nil
			}
			return out, errors.Join(err, lookErr)
		}
		if err != nil {
			return fault.Outcome{}, err
		}
		if err := syncDir(filepath.Dir(m.Path)); err != nil {
			return fault.Outcome{}, err
		}
	}
	return fault.Outcome{}, nil
}

// look says which moves have to be taken back, or why none may be.
func (u awayUndo) look() (back []move, out fault.Outcome, err error) {
	for _, m := range u.Moved {
		back2, why, err := m.look(u.Done)
		if err != nil {
			return nil, fault.Outcome{}, err
		}
		if why != "" {
			out.Superseded = append(out.Superseded, why)
		}
		if back2 {
			back = append(back, m)
		}
	}
	if len(out.Superseded) > 0 {
		for _, m := range u.Moved {
			if same, _, err := m.Was.is(m.Stash); err == nil && same {
				out.Kept = append(out.Kept, m.Stash)
			}
		}
	}
	return back, out, nil
}

// look says whether this move has to be taken back, or why it must not be.
func (m move) look(done bool) (back bool, superseded string, err error) {
	home, taken, err := m.Was.is(m.Path)
	if err != nil {
		return false, "", err
	}
	aside, _, err := m.Was.is(m.Stash)
	if err != nil {
		return false, "", err
	}
	switch {
	case home:
		return false, "", nil
	case aside && taken:
		return false, m.Path + " was put there by somebody else since", nil
	case aside:
		return true, "", nil
	case done && taken:
		return false, m.Path + " was put there by somebody else since, and the original is no longer where it was put aside", nil
	case done:
		return false, m.Path + " is gone, and so is what was put aside: somebody removed them", nil
	}
	return false, "", nil // never moved by us
}

func (a away) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readAway(undo)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, m := range u.Moved {
		if _, there, err := m.Was.is(m.Stash); err != nil {
			return nil, err
		} else if there {
			left = append(left, m.Stash)
		}
	}
	return left, nil
}

// moveOld is moveNew where the file system cannot do it in one step. A file gets its second name before it loses the
// first, so that nothing is overwritten. A directory cannot have two names: only an empty one could be overwritten.
func moveOld(from, to string) error {
	if st, err := os.Lstat(from); err == nil && !st.IsDir() {
		err := os.Link(from, to)
		if err == nil {
			return os.Remove(from)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}
