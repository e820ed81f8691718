package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

const (
	// named is where `ip netns` keeps its namespaces.
	named = "/run/netns"
	// own is the namespace of this program, seen from any thread that has not entered another. The main thread, which
	// /proc/self shows, may be one that has.
	own = "/proc/thread-self/ns/net"
)

// Own is the namespace of this program.
func Own() (Ref, error) { return look(Ref{Path: own, Name: "this host's network"}) }

// Named is a namespace made by `ip netns add`.
func Named(name string) (Ref, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return Ref{}, fmt.Errorf("%q is no name of a network namespace", name)
	}
	r, err := look(Ref{Path: filepath.Join(named, name), Name: "network namespace " + name})
	if errors.Is(err, ErrGone) {
		return r, fmt.Errorf("no network namespace %q: `ip netns list` shows them", name)
	}
	return r, err
}

// Of is the namespace of a process.
func Of(p proc.Process) (Ref, error) {
	if _, err := proc.Find(p); err != nil {
		return Ref{}, err
	}
	return look(Ref{Path: fmt.Sprintf("/proc/%d/ns/net", p.PID), Process: &p, Name: fmt.Sprintf("the network namespace of process %d", p.PID)})
}

// look finds out which namespace it is.
func look(r Ref) (Ref, error) {
	inode, err := inodeOf(r.Path)
	if errors.Is(err, unix.ENOENT) {
		return r, ErrGone
	}
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return r, fmt.Errorf("look at %s: CAP_SYS_PTRACE is missing, or be the user of that process: %w", r.Name, err)
	}
	if err != nil {
		return r, fmt.Errorf("look at %s: %w", r.Name, err)
	}
	r.Inode, r.Boot = inode, proc.BootID()
	mine, err := inodeOf(own)
	r.Own = err == nil && mine == inode
	err = r.Do(func() error { r.Cookie = cookie(); return nil })
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return r, fmt.Errorf("%w: CAP_SYS_ADMIN is missing: run as root", err)
	}
	return r, err
}

func inodeOf(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return st.Ino, err
}

// cookie is the kernel's number of the namespace of this thread; 0 before Linux 5.14.
func cookie() uint64 {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0
	}
	return c
}

// open returns a descriptor of a namespace with this inode, or ErrGone. The place where it was found may have become another's
// while others still hold the namespace, so all places are looked at.
func (r Ref) open() (int, error) {
	if r.Boot != proc.BootID() {
		return -1, ErrGone
	}
	fd, err := openSame(r.Path, r.Inode)
	if err == nil || !errors.Is(err, ErrGone) {
		return fd, err
	}
	for _, pattern := range []string{own, named + "/*", "/proc/[0-9]*/ns/net"} {
		places, err := filepath.Glob(pattern)
		if err != nil {
			return -1, err
		}
		for _, path := range places {
			if fd, err := openSame(path, r.Inode); err == nil {
				return fd, nil
			}
		}
	}
	return -1, ErrGone
}

// openSame opens a path if it has the inode.
func openSame(path string, inode uint64) (int, error) {
	if i, err := inodeOf(path); errors.Is(err, unix.ENOENT) || err == nil && i != inode {
		return -1, ErrGone
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, fmt.Errorf("open network namespace: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != inode {
		unix.Close(fd)
		return -1, ErrGone
	}
	return fd, nil
}

// There says that the namespace still exists.
func (r Ref) There() bool { return r.Do(func() error { return nil }) == nil }

// Do runs f on a thread of its own in the namespace, and waits for it. Sockets that f opens stay in the namespace. The
// goroutines that f starts do not run in it. The thread is never used again.
func (r Ref) Do(f func() error) error {
	fd, err := r.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error, 1)
	go func() { done <- r.inside(fd, f) }()
	return <-done
}

// inside ends with a thread that no other goroutine may have, unless it is where it was.
func (r Ref) inside(fd int, f func() error) error {
	mine, err := inodeOf(own)
	if err != nil || mine != r.Inode {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter %s: %w", r.Name, err)
		}
	}
	if r.Cookie != 0 && cookie() != r.Cookie {
		return ErrGone
	}
	return f()
}

// Apart runs f on a thread of its own in a network namespace that nobody else has, to try there what this system can do. It
// is gone when f has returned and what f left open is closed. Without CAP_SYS_ADMIN it is an error.
func Apart(f func(Ref) error) error {
	done := make(chan error, 1)
	go func() { done <- apart(f) }()
	return <-done
}

func apart(f func(Ref) error) error {
	runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace to try things in: %w", err)
	}
	ref, err := look(Ref{Path: fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), Name: "a network namespace to try things in"})
	if err != nil {
		return err
	}
	return f(ref)
}
