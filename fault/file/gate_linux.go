package file

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// gate stands before a file system and does to each operation what the fault says. Everything else goes through as it is.
type gate struct {
	fuse.RawFileSystem
	effect effect
	errno  fuse.Status
	probe  string
	// off is closed when the fault ends: from then on, and for those that wait just then, all is as without it.
	off  chan struct{}
	once sync.Once
}

func newGate(inner fuse.RawFileSystem, e effect, probe string) *gate {
	errno := map[string]syscall.Errno{"EIO": unix.EIO, "ENOSPC": unix.ENOSPC, "EROFS": unix.EROFS}[e.Error]
	return &gate{RawFileSystem: inner, effect: e, errno: fuse.Status(errno), probe: probe, off: make(chan struct{})}
}

// open ends the fault.
func (g *gate) open() { g.once.Do(func() { close(g.off) }) }

// pass lets an operation through, late or not at all. An interrupt does not shorten the wait, as it would not on a slow
// disk: a program may get a signal at any time, and expects no EINTR from a file.
func (g *gate) pass(op string) fuse.Status {
	select {
	case <-g.off:
		return fuse.OK
	default:
	}
	if !slices.Contains(g.effect.Operations, op) {
		return fuse.OK
	}
	if g.errno != 0 {
		return g.errno
	}
	t := time.NewTimer(g.effect.Delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.off:
	}
	return fuse.OK
}

func (g *gate) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if n := g.probed(h.NodeId, name); n != noProbe {
		return g.lookupProbe(n, out)
	}
	if st := g.pass(opLook); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Lookup(cancel, h, name, out)
}

func (g *gate) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if n := probeNode(in.NodeId); n != noProbe {
		return g.passProbe(n, opOpen)
	}
	if st := g.pass(opOpen); !st.Ok() {
		return st
	}
	writes := in.Flags&unix.O_ACCMODE != unix.O_RDONLY || in.Flags&unix.O_TRUNC != 0
	if g.errno == fuse.EROFS && writes {
		// On a read-only file system a file cannot even be opened for writing.
		if st := g.pass(opWrite); !st.Ok() {
			return st
		}
	}
	return g.RawFileSystem.Open(cancel, in, out)
}

func (g *gate) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if n := probeNode(in.NodeId); n != noProbe {
		st := g.passProbe(n, opRead)
		return fuse.ReadResultData(probeText(buf)), st
	}
	if st := g.pass(opRead); !st.Ok() {
		return nil, st
	}
	return g.RawFileSystem.Read(cancel, in, buf)
}

func (g *gate) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	if n := probeNode(in.NodeId); n != noProbe {
		return uint32(len(data)), g.passProbe(n, opWrite)
	}
	if st := g.pass(opWrite); !st.Ok() {
		return 0, st
	}
	return g.RawFileSystem.Write(cancel, in, data)
}

// Writev says that it is not there, so that Write is called, once.
func (g *gate) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

// CopyFileRange says that it is not there, so that the kernel reads and writes.
func (g *gate) CopyFileRange(<-chan struct{}, *fuse.CopyFileRangeIn) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

func (g *gate) Fallocate(cancel <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if st := g.pass(opWrite); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Fallocate(cancel, in)
}

func (g *gate) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if n := probeNode(in.NodeId); n != noProbe {
		return g.passProbe(n, opSync)
	}
	if st := g.pass(opSync); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Fsync(cancel, in)
}

func (g *gate) FsyncDir(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	if st := g.pass(opSync); !st.Ok() {
		return st
	}
	return g.RawFileSystem.FsyncDir(cancel, in)
}

func (g *gate) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Create(cancel, in, name, out)
}

func (g *gate) Tmpfile(cancel <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Tmpfile(cancel, in, out)
}

func (g *gate) Mknod(cancel <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Mknod(cancel, in, name, out)
}

func (g *gate) Mkdir(cancel <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	if n := g.probed(in.NodeId, name); n != noProbe {
		return g.refuseProbe(n, opCreate)
	}
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Mkdir(cancel, in, name, out)
}

func (g *gate) Symlink(cancel <-chan struct{}, h *fuse.InHeader, to, name string, out *fuse.EntryOut) fuse.Status {
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Symlink(cancel, h, to, name, out)
}

func (g *gate) Link(cancel <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	if st := g.pass(opCreate); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Link(cancel, in, name, out)
}

func (g *gate) Unlink(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if n := g.probed(h.NodeId, name); n != noProbe {
		return g.refuseProbe(n, opRemove)
	}
	if st := g.pass(opRemove); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Unlink(cancel, h, name)
}

func (g *gate) Rmdir(cancel <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	if st := g.pass(opRemove); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Rmdir(cancel, h, name)
}

func (g *gate) Rename(cancel <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	if n := g.probed(in.NodeId, from); n != noProbe {
		return g.refuseProbe(n, opRename)
	}
	if st := g.pass(opRename); !st.Ok() {
		return st
	}
	return g.RawFileSystem.Rename(cancel, in, from, to)
}

func (g *gate) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if st := g.pass(opList); !st.Ok() {
		return st
	}
	return g.RawFileSystem.OpenDir(cancel, in, out)
}

func (g *gate) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if n := probeNode(in.NodeId); n != noProbe {
		probeAttr(n, &out.Attr)
		return fuse.OK
	}
	return g.RawFileSystem.GetAttr(cancel, in, out)
}

func (g *gate) SetAttr(cancel <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if n := probeNode(in.NodeId); n != noProbe {
		probeAttr(n, &out.Attr)
		return g.passProbe(n, opChange)
	}
	op := opChange
	if _, size := in.GetSize(); size && g.errno == fuse.EROFS {
		op = opWrite
	}
	if st := g.pass(op); !st.Ok() {
		return st
	}
	return g.RawFileSystem.SetAttr(cancel, in, out)
}

func (g *gate) SetXAttr(cancel <-chan struct{}, in *fuse.SetXAttrIn, attr string, data []byte) fuse.Status {
	if st := g.pass(opChange); !st.Ok() {
		return st
	}
	return g.RawFileSystem.SetXAttr(cancel, in, attr, data)
}

func (g *gate) RemoveXAttr(cancel <-chan struct{}, h *fuse.InHeader, attr string) fuse.Status {
	if st := g.pass(opChange); !st.Ok() {
		return st
	}
	return g.RawFileSystem.RemoveXAttr(cancel, h, attr)
}
