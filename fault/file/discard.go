package file

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/belay-dr/belay/fault"
)

// The kinds of fault that put originals aside can delete them.
var (
	_ fault.Discarder = away{}
	_ fault.Discarder = since{}
	_ fault.Discarder = corrupt{}
)

// Discard deletes what was put aside and is still the same file or directory.
func (a away) Discard(_ context.Context, undo json.RawMessage, kept []string) ([]string, error) {
	u, err := readAway(undo)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, m := range u.Moved {
		one, err := m.discard(kept)
		if err != nil {
			return gone, err
		}
		gone = append(gone, one...)
	}
	return gone, nil
}

func (m move) discard(kept []string) ([]string, error) {
	if !slices.Contains(kept, m.Stash) {
		return nil, nil
	}
	same, there, err := m.Was.is(m.Stash)
	if err != nil {
		return nil, err
	}
	if there && !same {
		return nil, fmt.Errorf("%s is not what was put aside there", m.Stash)
	}
	// A directory is deleted without following a link in it.
	if err := os.RemoveAll(m.Stash); err != nil {
		return nil, err
	}
	return []string{m.Stash}, syncDir(filepath.Dir(m.Stash))
}

// Discard deletes the copy, if a regular file is there.
func (c corrupt) Discard(_ context.Context, undo json.RawMessage, kept []string) ([]string, error) {
	u, err := readCorrupt(undo)
	if err != nil || !slices.Contains(kept, u.Stash) {
		return nil, err
	}
	st, err := os.Lstat(u.Stash)
	if os.IsNotExist(err) {
		return []string{u.Stash}, nil
	}
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not what was put aside there", u.Stash)
	}
	if err := os.Remove(u.Stash); err != nil {
		return nil, err
	}
	return []string{u.Stash}, syncDir(filepath.Dir(u.Stash))
}
