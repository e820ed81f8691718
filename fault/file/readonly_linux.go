package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// immutable is FS_IMMUTABLE_FL.
const immutable = 0x10

// handle finds an inode on its file system by its own name there.
type handle struct {
	Type  int32  `json:"type"`
	Bytes []byte `json:"bytes"`
	// Near are directories of the same file system, nearest first; the first that is still there is used.
	Near []string `json:"near"`
}

// look adds what the flags of the entry are, and its handle. A file system without them leaves both empty.
func (e *entry) look() {
	f, err := e.open()
	if err != nil {
		return
	}
	defer f.Close()
	if flags, err := getFlags(f); err == nil {
		e.Flags = flags
	}
	if h, _, err := unix.NameToHandleAt(int(f.Fd()), "", unix.AT_EMPTY_PATH); err == nil {
		e.Handle = &handle{Type: h.Type(), Bytes: h.Bytes()}
		for dir := filepath.Dir(e.Path); len(e.Handle.Near) < 32; dir = filepath.Dir(dir) {
			st, err := os.Lstat(dir)
			if err != nil || inodeOf(st).Dev != e.Was.Dev {
				break
			}
			e.Handle.Near = append(e.Handle.Near, dir)
			if dir == "/" {
				break
			}
		}
	}
}

// byHandle opens the entry's inode wherever it is; nil when it does not exist any more or cannot be found.
func (e entry) byHandle() (*os.File, error) {
	if e.Handle == nil {
		return nil, nil
	}
	for _, dir := range e.Handle.Near {
		at, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		fd, err := unix.OpenByHandleAt(at, unix.NewFileHandle(e.Handle.Type, e.Handle.Bytes), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC)
		unix.Close(at)
		switch {
		case errors.Is(err, unix.ESTALE) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("find what was %s: %w", e.Path, err)
		}
		f := os.NewFile(uintptr(fd), e.Path)
		st, err := f.Stat()
		if err != nil || !e.Was.same(inodeOf(st)) || linksOf(st) == 0 {
			f.Close()
			return nil, err
		}
		return f, nil
	}
	return nil, nil
}

func getFlags(f *os.File) (uint32, error) {
	n, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	return n, err
}

// setFlag sets or clears the immutable flag and leaves all others as they are now.
func (e entry) setFlag(f *os.File, on bool) error {
	now, err := getFlags(f)
	if err != nil {
		return err
	}
	next := now &^ immutable
	if on || e.Flags&immutable != 0 {
		next |= immutable
	}
	if next == now {
		return nil
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.FS_IOC_SETFLAGS, uintptr(unsafe.Pointer(&next)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return errno
	}
	return nil
}

// flagged says that the flag is on, and by us.
func (e entry) flagged(f *os.File) (bool, error) {
	now, err := getFlags(f)
	return now&immutable != 0 && e.Flags&immutable == 0, err
}

// way chooses how these entries can be made read-only, or says why they cannot.
func way(entries []entry) (by string, those []entry, err error) {
	why := flagWhy(entries[0])
	fits := why == nil
	for _, e := range entries {
		if fits && e.Flags&immutable != 0 {
			return "", nil, fmt.Errorf("%s is immutable already", e.Path)
		}
	}
	if fits {
		return byFlag, entries, nil
	}
	for _, e := range entries {
		switch {
		case e.UID == 0:
			return "", nil, fmt.Errorf("%s belongs to root, whom mode bits do not stop, and the immutable flag cannot be used: %w", e.Path, why)
		case os.Geteuid() != 0 && int(e.UID) != os.Geteuid():
			return "", nil, fmt.Errorf("%s belongs to user %d, so only root can make it read-only", e.Path, e.UID)
		case e.Mode&0o222 != 0: // the others are read-only already
			those = append(those, e)
		}
	}
	if len(those) == 0 {
		return "", nil, fmt.Errorf("%s has no write bits already", entries[0].Path)
	}
	return byMode, those, nil
}

// flagWhy says why the immutable flag cannot be used for an entry; nil when it can.
func flagWhy(e entry) error {
	if !capable(unix.CAP_LINUX_IMMUTABLE) {
		return errors.New("it needs CAP_LINUX_IMMUTABLE: run as root")
	}
	f, err := e.open()
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := getFlags(f); err != nil {
		return fmt.Errorf("this file system knows no inode flags: %w", err)
	}
	return nil
}

// capable says that this process has a capability.
func capable(c int) bool {
	var data [2]unix.CapUserData
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&head, &data[0]) != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}

// tryWrite asks the kernel for the right to write, as the owner would, and changes nothing. It returns why not.
func (e entry) tryWrite(by string) error {
	if by == byFlag || os.Geteuid() != 0 {
		return e.openToWrite()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: a thread that was somebody else ends with this goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETFSUID, uintptr(e.UID), 0, 0); errno != 0 {
			done <- errno
			return
		}
		done <- e.openToWrite()
	}()
	return <-done
}

func (e entry) openToWrite() error {
	if e.Mode&unix.S_IFMT == unix.S_IFDIR {
		// A file without a name would be made here. It goes with its descriptor, should it work.
		fd, err := unix.Open(e.Path, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return unix.Access(e.Path, unix.W_OK)
		}
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	fd, err := unix.Open(e.Path, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// flagHere tries the immutable flag on a file of its own, and says why it cannot be used.
func flagHere() error {
	f, err := os.CreateTemp("", "belay-")
	if err != nil {
		return err
	}
	defer func() { f.Close(); os.Remove(f.Name()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	e := entry{Path: f.Name(), Was: inodeOf(st)}
	if err := flagWhy(e); err != nil {
		return err
	}
	e.look()
	return errors.Join(e.setFlag(f, true), e.setFlag(f, false))
}
