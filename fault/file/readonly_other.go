//go:build !linux

package file

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// handle is only on Linux.
type handle struct{}

func (e *entry) look() {}

func (e entry) byHandle() (*os.File, error) { return nil, nil }

func (e entry) setFlag(*os.File, bool) error { return unix.ENOTSUP }

func (e entry) flagged(*os.File) (bool, error) { return false, unix.ENOTSUP }

// way is always by mode bits here, which do not stop root.
func way(entries []entry) (by string, those []entry, err error) {
	for _, e := range entries {
		switch {
		case int(e.UID) != os.Geteuid() || e.UID == 0:
			return "", nil, fmt.Errorf("%s belongs to user %d; here only files of our own, and not of root, can be made read-only", e.Path, e.UID)
		case e.Mode&0o222 != 0: // the others are read-only already
			those = append(those, e)
		}
	}
	if len(those) == 0 {
		return "", nil, fmt.Errorf("%s has no write bits already", entries[0].Path)
	}
	return byMode, those, nil
}

func (e entry) tryWrite(string) error { return unix.Access(e.Path, unix.W_OK) }

// flagHere says that there is no such flag here.
func flagHere() error { return unix.ENOTSUP }
