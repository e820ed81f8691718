package netns

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// named is where `ip netns` keeps its namespaces.
const named = "/run/netns"

// Own is the namespace of this program.
func Own() (Ref, error) { return look(Ref{Path: "/proc/self/ns/net", Name: "this host's network", Own: true}) }

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

func look(r Ref) (Ref, error) {
	var st unix.Stat_t
	err := unix.Stat(r.Path, &st)
	if errors.Is(err, unix.ENOENT) {
		return r, ErrGone
	}
	if err != nil {
		return r, fmt.Errorf("open network namespace: %s: %w", r.Path, err)
	}
	r.Inode, r.Boot = st.Ino, proc.BootID()
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &own); err == nil && own.Ino == st.Ino {
		r.Own = true
	}
	return r, nil
}

// open returns a descriptor of exactly this namespace, or ErrGone.
func (r Ref) open() (int, error) {
	if r.Boot != proc.BootID() {
		return -1, ErrGone
	}
	path := r.Path
	if r.Own {
		path = "/proc/self/ns/net"
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, fmt.Errorf("open network namespace: %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != r.Inode {
		unix.Close(fd)
		return -1, ErrGone
	}
	return fd, nil
}

// There says that the namespace still exists.
func (r Ref) There() bool {
	fd, err := r.open()
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// Do runs f on a thread of its own in the namespace, and waits for it. Sockets that f opens stay in the namespace. The
// goroutines that f starts do not run in it. The thread is never used again.
func (r Ref) Do(f func() error) error {
	fd, err := r.open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	done := make(chan error, 1)
	go func() {
		if !r.Own {
			runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
			if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
				done <- fmt.Errorf("enter %s: %w", r.Name, err)
				return
			}
		}
		done <- f()
	}()
	return <-done
}
