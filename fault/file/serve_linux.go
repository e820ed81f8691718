package file

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// workerName is how the worker that serves a file system is called.
const workerName = "file.over"

// fuseType is the type of our mounts in /proc/self/mountinfo.
const fuseType = "belay"

// Workers are the helper processes of this package.
func Workers() fault.Workers { return fault.Workers{workerName: serve} }

// serving is what that worker is told.
type serving struct {
	Path   string `json:"path"`
	Was    inode  `json:"was"`
	Source string `json:"source"`
	Effect effect `json:"effect"`
}

// serve mounts a file system over a directory that shows the same directory, with the fault. When its input ends the fault
// does, and it goes on to serve without one until the mount is taken away and the last file that was opened in it is
// closed: a procedure that was practised meanwhile must not lose its files.
func serve(stdin io.Reader, stdout io.Writer) error {
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read what to serve: %w", err)
	}
	var s serving
	if err := json.Unmarshal(line, &s); err != nil {
		return fmt.Errorf("read what to serve: %w", err)
	}
	// Who read our output may be gone by then.
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP, unix.SIGINT)
	unix.Umask(0) // the caller's has been applied by the kernel
	if err := s.enter(); err != nil {
		return err
	}
	server, g, err := s.mount()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil {
		g.open()
		return errors.Join(err, detach(s.Source))
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		g.open()
	}()
	server.Wait()
	return nil
}

// enter goes into the directory, before it is covered: all paths of the mirror begin here.
func (s serving) enter() error {
	fd, err := unix.Open(s.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.Path, err)
	}
	f := os.NewFile(uintptr(fd), s.Path)
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !s.Was.same(inodeOf(st)) {
		return fmt.Errorf("%s was replaced since it was planned", s.Path)
	}
	return f.Chdir()
}

func (s serving) mount() (*fuse.Server, *gate, error) {
	loop, err := fs.NewLoopbackRoot(".")
	if err != nil {
		return nil, nil, fmt.Errorf("mirror %s: %w", s.Path, err)
	}
	silent := log.New(io.Discard, "", 0)
	o := &fs.Options{
		Logger: silent, NullPermissions: true,
		MountOptions: fuse.MountOptions{
			AllowOther: true, DirectMountStrict: true, FsName: s.Source, Name: fuseType, Logger: silent,
			MaxBackground: 128, MaxWrite: 1 << 20, DisabledCapabilities: fuse.CAP_PASSTHROUGH,
			Options: []string{"default_permissions", "dev", "suid"},
		},
	}
	var st unix.Statfs_t
	if unix.Statfs(".", &st) == nil {
		for flag, option := range map[int64]string{unix.ST_NODEV: "nodev", unix.ST_NOSUID: "nosuid", unix.ST_NOEXEC: "noexec"} {
			if st.Flags&flag != 0 {
				o.Options = append(o.Options, option)
			}
		}
	}
	g := newGate(fs.NewNodeFS(&mirror{loop.(*fs.LoopbackNode)}, o), s.Effect, s.Source)
	server, err := fuse.NewServer(g, s.Path, &o.MountOptions)
	if err != nil {
		return nil, nil, fmt.Errorf("mount over %s: %w", s.Path, err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("mount over %s: %w", s.Path, err), detach(s.Source))
	}
	return server, g, nil
}
