package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// open returns the directory of exactly this group, or ErrGone.
func (g Group) open() (int, error) {
	if g.Boot != proc.BootID() {
		return -1, ErrGone
	}
	fd, err := unix.Open(g.Path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", g, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != g.Inode {
		unix.Close(fd)
		return -1, ErrGone
	}
	return fd, nil
}

// file opens one of the group's files.
func (g Group) file(name string, flags int) (*os.File, error) {
	dir, err := g.open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENODEV) {
		return nil, ErrGone // it was removed between the two
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(g.Path, name), Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(g.Path, name)), nil
}

// There says that the group still exists.
func (g Group) There() bool {
	fd, err := g.open()
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// Read returns a file of the group without the last line's end.
func (g Group) Read(name string) (string, error) {
	f, err := g.file(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if errors.Is(err, unix.ENODEV) {
		return "", ErrGone
	}
	return strings.TrimSpace(string(b)), err
}

// Write writes one value to a file of the group.
func (g Group) Write(name, value string) error {
	f, err := g.file(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	err = errors.Join(err, f.Close())
	if errors.Is(err, unix.ENODEV) && !g.There() {
		return ErrGone
	}
	return err
}

// Writable says whether we may write to a file of the group.
func (g Group) Writable(name string) bool {
	return unix.Access(filepath.Join(g.Path, name), unix.W_OK) == nil
}

// Stat returns a file of lines with a word and a number, such as cpu.stat.
func (g Group) Stat(name string) (map[string]int64, error) {
	text, err := g.Read(name)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				out[f[0]] = n
			}
		}
	}
	return out, nil
}

// Procs are the processes in the group itself.
func (g Group) Procs() ([]int, error) {
	text, err := g.Read("cgroup.procs")
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil // a threaded group: its processes are listed further up
	}
	if err != nil {
		return nil, err
	}
	var out []int
	for word := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("read processes of %s: %w", g, err)
		}
		if pid > 0 { // 0 is one of another PID namespace
			out = append(out, pid)
		}
	}
	return out, nil
}

// All are the processes in the group and in the groups below it.
func (g Group) All() ([]int, error) {
	out, err := g.Procs()
	if err != nil {
		return nil, err
	}
	below, err := g.Below()
	if err != nil {
		return nil, err
	}
	for _, b := range below {
		more, err := b.All()
		if err != nil && !errors.Is(err, ErrGone) {
			return nil, err
		}
		out = append(out, more...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Below are the groups right below this one.
func (g Group) Below() ([]Group, error) {
	entries, err := os.ReadDir(g.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", g, err)
	}
	var out []Group
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if b, err := look(mount{point: g.Top, v2: g.V2}, filepath.Join(g.Path, e.Name())); err == nil {
			out = append(out, b)
		}
	}
	return out, nil
}

// Parent is the group above; the top is its own.
func (g Group) Parent() (Group, error) {
	if g.Root() {
		return g, nil
	}
	return look(mount{point: g.Top, v2: g.V2}, filepath.Dir(g.Path))
}

// Add moves a process into the group, with all its threads.
func (g Group) Add(pid int) error {
	err := g.Write("cgroup.procs", strconv.Itoa(pid))
	if errors.Is(err, unix.ESRCH) {
		return proc.ErrGone
	}
	return err
}

// Make makes a group below this one.
func (g Group) Make(name string) (Group, error) {
	dir, err := g.open()
	if err != nil {
		return Group{}, err
	}
	defer unix.Close(dir)
	if err := unix.Mkdirat(dir, name, 0o755); err != nil {
		return Group{}, &os.PathError{Op: "make cgroup", Path: filepath.Join(g.Path, name), Err: err}
	}
	return look(mount{point: g.Top, v2: g.V2}, filepath.Join(g.Path, name))
}

// Remove removes an empty group. One that is gone is no error. A process that has just left may still be on its way out.
func (g Group) Remove() error {
	var err error
	for range 100 {
		if !g.There() {
			return nil
		}
		err = unix.Rmdir(g.Path)
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", g, err)
}
