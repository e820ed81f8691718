package file

import (
	"context"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// mirror is one file or directory of the file system that shows the directory below the mount. What is made in a directory
// with the set-group-ID bit belongs to the directory's group, as it would without us.
type mirror struct{ *fs.LoopbackNode }

func (m *mirror) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &mirror{ops.(*fs.LoopbackNode)}
}

// here is the path of a name in this directory. The process that serves it stands in the top of the directory.
func (m *mirror) here(name string) string { return filepath.Join(".", m.Path(m.Root()), name) }

// inherit gives a new entry the group of its directory where that asks for it.
func (m *mirror) inherit(name string, out *fuse.EntryOut) {
	var up, now unix.Stat_t
	path := m.here(name)
	if unix.Stat(m.here(""), &up) != nil || up.Mode&unix.S_ISGID == 0 {
		return
	}
	if unix.Lchown(path, -1, int(up.Gid)) != nil || unix.Lstat(path, &now) != nil {
		return
	}
	out.Gid, out.Mode = now.Gid, now.Mode
}

func (m *mirror) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	node, fh, how, errno := m.LoopbackNode.Create(ctx, name, flags, mode, out)
	if errno == 0 {
		m.inherit(name, out)
	}
	return node, fh, how, errno
}

func (m *mirror) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	node, errno := m.LoopbackNode.Mkdir(ctx, name, mode, out)
	if errno == 0 {
		m.inherit(name, out)
	}
	return node, errno
}

func (m *mirror) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	node, errno := m.LoopbackNode.Mknod(ctx, name, mode, dev, out)
	if errno == 0 {
		m.inherit(name, out)
	}
	return node, errno
}

func (m *mirror) Symlink(ctx context.Context, to, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	node, errno := m.LoopbackNode.Symlink(ctx, to, name, out)
	if errno == 0 {
		m.inherit(name, out)
	}
	return node, errno
}
