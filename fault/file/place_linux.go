package file

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// moveNew renames and fails with fs.ErrExist if the new name is taken.
func moveNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return moveOld(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// exchange lets two paths change places in one step.
func exchange(a, b string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
		return &os.LinkError{Op: "exchange", Old: a, New: b, Err: err}
	}
	return nil
}

// mountPoints lists where file systems are mounted, bind mounts of files among them.
func mountPoints() ([]string, error) {
	all, err := mounts()
	var out []string
	for _, m := range all {
		out = append(out, m.point)
	}
	return out, err
}
