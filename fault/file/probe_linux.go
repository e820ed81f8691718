package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// A fault over a directory is seen by probes: files that are in the mounted file system but not in the directory. There is
// one for each operation, by whose name it is met by the fault in that operation only. So an operation can be observed
// from where the applications are, through the kernel, and nothing is read, written or made in their data.

// noProbe says that a node or a name is not a probe's.
const noProbe = -1

// firstProbe is the node of the first probe. No other node has so high a number.
const firstProbe = 1 << 62

// probeOps are the operations in the order of their probes' nodes.
func probeOps() []string {
	return []string{opChange, opCreate, opList, opLook, opOpen, opRead, opRemove, opRename, opSync, opWrite}
}

// probeName is the path below the directory of the probe of one operation.
func probeName(source, op string) string { return "." + source + "-" + op }

func (g *gate) probed(parent uint64, name string) int {
	if parent != fuse.FUSE_ROOT_ID || !strings.HasPrefix(name, "."+g.probe+"-") {
		return noProbe
	}
	return slices.Index(probeOps(), strings.TrimPrefix(name, "."+g.probe+"-"))
}

func probeNode(id uint64) int {
	if id < firstProbe || id >= firstProbe+uint64(len(probeOps())) {
		return noProbe
	}
	return int(id - firstProbe)
}

func probeAttr(n int, out *fuse.Attr) {
	*out = fuse.Attr{Ino: firstProbe + uint64(n), Mode: fuse.S_IFREG | 0o600, Nlink: 1, Size: 1, Owner: fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())}}
}

// probeText is what is in a probe.
func probeText(buf []byte) []byte {
	if len(buf) == 0 {
		return nil
	}
	buf[0] = '\n'
	return buf[:1]
}

// lookupProbe finds a probe; that of create is never there, so that it can be made.
func (g *gate) lookupProbe(n int, out *fuse.EntryOut) fuse.Status {
	if st := g.passProbe(n, opLook); !st.Ok() {
		return st
	}
	if probeOps()[n] == opCreate {
		return fuse.ENOENT
	}
	out.NodeId = firstProbe + uint64(n)
	out.Generation = 1
	probeAttr(n, &out.Attr)
	return fuse.OK
}

// passProbe is pass for a probe, which only its own operation meets.
func (g *gate) passProbe(n int, op string) fuse.Status {
	if probeOps()[n] != op {
		return fuse.OK
	}
	return g.pass(op)
}

// refuseProbe is the end of an operation that must not happen: it is late, or fails as the fault says, or is refused.
func (g *gate) refuseProbe(n int, op string) fuse.Status {
	if st := g.passProbe(n, op); !st.Ok() {
		return st
	}
	return fuse.EPERM
}

// Forget is for all but probes.
func (g *gate) Forget(id, lookups uint64) {
	if probeNode(id) == noProbe {
		g.RawFileSystem.Forget(id, lookups)
	}
}

func (g *gate) Flush(cancel <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	if probeNode(in.NodeId) != noProbe {
		return fuse.OK
	}
	return g.RawFileSystem.Flush(cancel, in)
}

func (g *gate) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	if probeNode(in.NodeId) == noProbe {
		g.RawFileSystem.Release(cancel, in)
	}
}

func (g *gate) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, attr string, dest []byte) (uint32, fuse.Status) {
	if probeNode(h.NodeId) != noProbe {
		return 0, fuse.ENODATA
	}
	return g.RawFileSystem.GetXAttr(cancel, h, attr, dest)
}

// try does one operation to its probe and returns how long it took and what it gave.
func try(dir, source, op string) (time.Duration, error) {
	path := filepath.Join(dir, probeName(source, op))
	other := filepath.Join(dir, probeName(source, opCreate))
	began := time.Now()
	var st unix.Stat_t
	switch op {
	case opLook:
		err := unix.Lstat(path, &st)
		return time.Since(began), err
	case opCreate:
		err := unix.Mkdir(path, 0o700)
		return time.Since(began), err
	case opRemove:
		err := unix.Unlink(path)
		return time.Since(began), err
	case opRename:
		err := unix.Rename(path, other)
		return time.Since(began), err
	case opChange:
		err := unix.Chmod(path, 0o640)
		return time.Since(began), err
	case opList:
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return time.Since(began), err
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if op == opOpen || err != nil {
		if err == nil {
			unix.Close(fd)
		}
		return time.Since(began), err
	}
	defer unix.Close(fd)
	began = time.Now()
	switch op {
	case opRead:
		_, err = unix.Pread(fd, make([]byte, 1), 0)
	case opWrite:
		_, err = unix.Pwrite(fd, []byte("\n"), 0)
	case opSync:
		err = unix.Fsync(fd)
	}
	return time.Since(began), err
}

// observe tries each operation of the fault and says what it saw, or what is not as it should be.
func (e effect) observe(dir, source string) (string, error) {
	seen := make([]string, len(e.Operations))
	errs := make([]error, len(e.Operations))
	var wg sync.WaitGroup
	for n, op := range e.Operations {
		wg.Go(func() { seen[n], errs[n] = e.judge(op, func() (time.Duration, error) { return try(dir, source, op) }) })
	}
	wg.Wait()
	return strings.Join(seen, ", "), errors.Join(errs...)
}

func (e effect) judge(op string, do func() (time.Duration, error)) (string, error) {
	took, err := do()
	if e.Error != "" {
		name := "no error"
		if errno, ok := errors.AsType[unix.Errno](err); ok {
			name = unix.ErrnoName(errno)
		}
		if name != e.Error {
			return "", fmt.Errorf("%s: %s, want %s", op, name, e.Error)
		}
		return op + " gave " + name, nil
	}
	harmless := err == nil || errors.Is(err, unix.EPERM) && slices.Contains([]string{opCreate, opRemove, opRename}, op)
	if !harmless {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	if took < e.Delay {
		return "", fmt.Errorf("%s took only %s", op, took)
	}
	return fmt.Sprintf("%s took %s", op, took.Round(100*time.Microsecond)), nil
}
