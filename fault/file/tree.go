package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The largest tree that is copied or compared.
const (
	maxTreeBytes   = 4 << 30
	maxTreeEntries = 200_000
)

// treeSize is what a copy of a tree needs. It refuses what cannot be copied with every byte.
func treeSize(ctx context.Context, top string) (entries int, size int64, err error) {
	err = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		switch {
		case st.Mode().IsRegular():
			size += st.Size()
		case st.IsDir() || st.Mode()&fs.ModeSymlink != 0:
		default:
			return fmt.Errorf("%s is neither a file nor a directory nor a symbolic link", path)
		}
		if entries++; entries > maxTreeEntries || size > maxTreeBytes {
			return fmt.Errorf("%s is too large: at most %d entries and %d bytes", top, maxTreeEntries, int64(maxTreeBytes))
		}
		return nil
	})
	return entries, size, err
}

// digestTree is a digest of everything that a tree is: names, types, modes, owners, times of change, extended attributes,
// contents, and which names are one file. Two trees with the same digest can stand for each other.
func digestTree(ctx context.Context, top string) (string, error) {
	h := sha256.New()
	first := map[uint64]string{}
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		return digestEntry(ctx, h, path, rel, first)
	})
	return hex.EncodeToString(h.Sum(nil)), err
}

func digestEntry(ctx context.Context, h hash.Hash, path, rel string, first map[uint64]string) error {
	st, err := os.Lstat(path)
	if err != nil {
		return err
	}
	sys := st.Sys().(*syscall.Stat_t)
	fmt.Fprintf(h, "%q %o %d:%d %d\n", rel, sys.Mode, sys.Uid, sys.Gid, st.ModTime().UnixNano())
	attrs, err := xattrs(path)
	if err != nil {
		return err
	}
	for _, a := range attrs {
		fmt.Fprintf(h, " %q=%x\n", a.name, a.value)
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		fmt.Fprintf(h, " -> %q\n", to)
		return err
	case !st.Mode().IsRegular():
		return nil
	}
	if twin, seen := first[sys.Ino]; seen {
		fmt.Fprintf(h, " = %q\n", twin)
		return nil
	}
	if sys.Nlink > 1 {
		first[sys.Ino] = rel
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	body := sha256.New()
	n, err := io.Copy(body, &ctxReader{ctx, f})
	fmt.Fprintf(h, " %d %x\n", n, body.Sum(nil))
	return err
}

type xattr struct {
	name  string
	value []byte
}

// xattrs are the extended attributes of a path itself, by name. A file system without any has none.
func xattrs(path string) ([]xattr, error) {
	list, err := sized(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list attributes of %s: %w", path, err)
	}
	var out []xattr
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value, err := sized(func(b []byte) (int, error) { return unix.Lgetxattr(path, string(name), b) })
		if err != nil {
			return nil, fmt.Errorf("read attribute %s of %s: %w", name, path, err)
		}
		out = append(out, xattr{string(name), value})
	}
	slices.SortFunc(out, func(a, b xattr) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// sized calls what says how much room it needs until it has enough.
func sized(get func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := get(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = get(b)
		if errors.Is(err, unix.ERANGE) {
			continue
		}
		return b[:max(n, 0)], err
	}
}

// copyTree makes a copy with every byte, mode, owner, attribute, time and link, durably. Nothing may be at to.
func copyTree(ctx context.Context, from, to string) error {
	first := map[uint64]string{}
	var dirs []string
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			dirs = append(dirs, rel)
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		return copyEntry(ctx, path, filepath.Join(to, rel), first)
	})
	// Directories get their times last: each entry that is made in them changes those.
	for n := len(dirs) - 1; n >= 0 && err == nil; n-- {
		if err = dress(filepath.Join(from, dirs[n]), filepath.Join(to, dirs[n])); err == nil {
			err = syncDir(filepath.Join(to, dirs[n]))
		}
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return syncDir(filepath.Dir(to))
}

func copyEntry(ctx context.Context, from, to string, first map[uint64]string) error {
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	sys := st.Sys().(*syscall.Stat_t)
	if twin, seen := first[sys.Ino]; seen {
		return os.Link(twin, to)
	}
	if sys.Nlink > 1 {
		first[sys.Ino] = to
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err == nil {
			err = os.Symlink(target, to)
		}
		if err != nil {
			return err
		}
	case st.Mode().IsRegular():
		if err := copyBytes(ctx, from, to); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s is neither a file nor a directory nor a symbolic link", from)
	}
	return dress(from, to)
}

func copyBytes(ctx context.Context, from, to string) error {
	r, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, &ctxReader{ctx, r})
	return errors.Join(err, w.Sync(), w.Close())
}

// dress gives a copy the owner, attributes, mode and times of its original, in the order in which they last.
func dress(from, to string) error {
	st, err := os.Lstat(from)
	if err != nil {
		return err
	}
	sys := st.Sys().(*syscall.Stat_t)
	if err := os.Lchown(to, int(sys.Uid), int(sys.Gid)); err != nil {
		return err
	}
	attrs, err := xattrs(from)
	if err != nil {
		return err
	}
	for _, a := range attrs {
		if err := unix.Lsetxattr(to, a.name, a.value, 0); err != nil {
			return fmt.Errorf("set attribute %s of %s: %w", a.name, to, err)
		}
	}
	if st.Mode()&fs.ModeSymlink == 0 {
		if err := unix.Chmod(to, uint32(sys.Mode)&0o7777); err != nil {
			return err
		}
	}
	ts, err := unix.TimeToTimespec(st.ModTime())
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
