package hold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/belay-dr/belay/fault"
)

// Discard deletes the originals that a fault left aside, because a recovery had taken their place. Only a fault that has
// ended can be asked, and only what its record lists as kept, and the target still knows, is deleted. It is the one thing
// here that deletes data, so only a person may ask for it.
func Discard(ctx context.Context, kinds fault.Kinds, dir, id string) (fault.Status, error) {
	dir, there, err := readDir(dir)
	if err != nil {
		return fault.Status{}, err
	}
	if !there {
		return fault.Status{}, fmt.Errorf("find fault %s: %w", id, fs.ErrNotExist)
	}
	k := newKeeper(kinds, dir)
	// Looked at before it is locked, because locking makes the lock's file.
	if _, err := k.read(id); err != nil {
		return fault.Status{}, err
	}
	l, err := k.try(id)
	if errors.Is(err, errBusy) {
		return fault.Status{}, fmt.Errorf("%w: discard originals of %s: the fault has not ended", ErrRefused, id)
	}
	if err != nil {
		return fault.Status{}, err
	}
	defer l.free()
	r, err := k.read(id)
	if err != nil {
		return fault.Status{}, err
	}
	st := &r.Status
	switch {
	case r.Phase != settled:
		return *st, fmt.Errorf("%w: discard originals of %s: the fault has not ended", ErrRefused, id)
	case len(st.Kept) == 0:
		return *st, nil
	}
	target, err := k.target(r)
	if err != nil {
		return *st, err
	}
	d, ok := target.(fault.Discarder)
	if !ok {
		return *st, fmt.Errorf("%w: discard originals of %s: this kind of fault keeps none", ErrRefused, id)
	}
	gone, err := d.Discard(ctx, r.Undo, st.Kept)
	st.Kept = slices.DeleteFunc(st.Kept, func(p string) bool { return slices.Contains(gone, p) })
	st.Discarded = append(st.Discarded, gone...)
	if err != nil {
		err = fmt.Errorf("discard originals of %s: %w", id, err)
	}
	return *st, errors.Join(err, k.save(r, settled))
}
