package resource

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// here says by which mechanism a fault can be made here, or why not.
func here(name string) (string, error) {
	switch strings.TrimPrefix(name, "resource.") {
	case "cpu_limit":
		return tryGroup(cgroup.CPU, quotaFile)
	case "memory_limit":
		return tryGroup(cgroup.Memory, limitFile)
	case "disk_slow":
		return tryGroup(cgroup.IO, func(v2 bool) string {
			if v2 {
				return "io.max"
			}
			return "blkio.throttle.write_bps_device"
		})
	case "fd_exhaustion":
		_, err := softLimit(os.Getpid())
		return "prlimit", err
	case "disk_fill":
		f, err := nameless(os.TempDir())
		if err != nil {
			return "", err
		}
		return "O_TMPFILE", f.Close()
	}
	return "worker process", nil
}

// tryGroup makes a group and removes it again: first at the top, then where we are, which may have been delegated to us.
func tryGroup(c cgroup.Controller, file func(v2 bool) string) (string, error) {
	me, err := proc.Self()
	if err != nil {
		return "", err
	}
	own, err := cgroup.Of(me, c)
	if err != nil {
		return "", err
	}
	top, err := cgroup.At("/", c)
	if err != nil {
		return "", err
	}
	var errs []error
	for _, at := range []cgroup.Group{top, own} {
		g, err := at.Make("belay-look-" + strings.ToLower(rand.Text()[:8]))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_, err = g.Read(file(g.V2))
		if err := errors.Join(err, g.Remove()); err != nil {
			errs = append(errs, err)
			continue
		}
		if g.V2 {
			return "cgroup v2", nil
		}
		return "cgroup v1", nil
	}
	err = errors.Join(errs...)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
		return "", fmt.Errorf("cgroups cannot be changed by us: run as root, or in a cgroup that was delegated to you (systemd: Delegate=yes)")
	}
	return "", err
}
