package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// inode names a file for as long as it exists, wherever it is moved on its file system.
type inode struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
	// Boot is the boot in which Dev was seen: device numbers may change with the next one.
	Boot string `json:"boot"`
}

// linksOf is how many names a file has.
func linksOf(st fs.FileInfo) uint64 { return uint64(st.Sys().(*syscall.Stat_t).Nlink) }

func inodeOf(st fs.FileInfo) inode {
	sys := st.Sys().(*syscall.Stat_t)
	return inode{Dev: uint64(sys.Dev), Ino: sys.Ino, Boot: proc.BootID()}
}

// is says that path is this very file. A path that is not there is not.
func (i inode) is(path string) (same, there bool, err error) {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	return i.same(inodeOf(st)), true, nil
}

// same says that another look found the same file.
func (i inode) same(now inode) bool {
	return now.Ino == i.Ino && (now.Dev == i.Dev || now.Boot != i.Boot)
}

// settlePath returns the path with the links above it resolved, and refuses places that no fault may touch.
func settlePath(path string) (string, fs.FileInfo, error) {
	if why := checkPath(path); why != "" {
		return "", nil, errors.New(why)
	}
	clean := filepath.Clean(path)
	parent, err := filepath.EvalSymlinks(filepath.Dir(clean))
	if err != nil {
		return "", nil, err
	}
	real := filepath.Join(parent, filepath.Base(clean))
	st, err := os.Lstat(real)
	if err != nil {
		return real, nil, err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		to, _ := os.Readlink(real)
		return "", nil, fmt.Errorf("%s is a symbolic link to %s: name the file itself", real, to)
	}
	if !st.Mode().IsRegular() && !st.IsDir() && st.Mode()&fs.ModeSocket == 0 {
		return "", nil, fmt.Errorf("%s is neither a file nor a directory nor a socket", real)
	}
	return real, st, forbidden(real, parent, st)
}

// forbidden refuses the root, what stands directly under it, home directories and mount points.
func forbidden(real, parent string, st fs.FileInfo) error {
	if real == "/" || parent == "/" {
		return fmt.Errorf("%s is too near the root to be touched", real)
	}
	if home, err := os.UserHomeDir(); err == nil {
		if h, err := filepath.EvalSymlinks(home); err == nil {
			home = h
		}
		if real == home || below(home, real) {
			return fmt.Errorf("%s is or holds the home directory", real)
		}
	}
	up, err := os.Lstat(parent)
	if err != nil {
		return err
	}
	if inodeOf(up).Dev != inodeOf(st).Dev {
		return fmt.Errorf("%s is a mount point", real)
	}
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m == real || below(m, real) {
			return fmt.Errorf("%s is or holds the mount point %s", real, m)
		}
	}
	if err := unix.Access(parent, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("%s cannot be changed by us: %w: run as its owner, or as root", parent, err)
	}
	return nil
}

// below says that path is inside dir.
func below(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != "." && rel != ".." && !hasParent(rel)
}

func hasParent(rel string) bool {
	return len(rel) >= 3 && rel[:3] == ".."+string(filepath.Separator)
}

// stashName is where the original of path is put aside: beside it, so that the move is one step on one file system.
func stashName(path, id string) string {
	dir, base := filepath.Split(path)
	if len(base) > 150 {
		base = base[:150]
	}
	return filepath.Join(dir, "."+base+".belay-"+id)
}

// syncDir makes a rename in the directory survive a power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a directory that we may change but not read; the rename itself stands
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
