package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/worker"
)

// over is a fault by a file system that is mounted over a directory and shows that directory, with the fault.
type over struct {
	path    string
	despite bool
	effect  effect
	// server is only in the hand of who injected.
	server *worker.Process
}

// served is the process that serves the file system.
type served struct {
	proc.Process
	// Mounted says that it said so.
	Mounted bool `json:"mounted"`
}

func (o *over) Plan(_ context.Context, ask fault.Ask) (fault.Plan, error) {
	real, st, err := settleDir(o.path)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := mountable(); err != nil {
		return fault.Plan{}, err
	}
	use, err := inUse(real)
	if err != nil {
		return fault.Plan{}, err
	}
	if len(use.locks) > 0 && !o.despite {
		return fault.Plan{}, fmt.Errorf("%s holds a lock on %s, which would not hold against what is opened while the fault lasts: end it first, or say despite_locks: true", use.locks[0].who, use.locks[0].path)
	}
	was := inodeOf(st)
	u := overUndo{Path: real, Was: was, Source: fmt.Sprintf("belay-%s-%x-%x", ask.ID, was.Dev, was.Ino)}
	if there, err := oursAt(u.Source); err != nil || len(there) > 0 {
		return fault.Plan{}, errors.Join(err, fmt.Errorf("%s is mounted already", u.Source))
	}
	b, err := json.Marshal(u)
	return fault.Plan{
		Target: fmt.Sprintf("%s: %s", real, o.effect),
		Class:  fault.Restore, Fidelity: fault.Host, Touches: []string{real}, Undo: b,
		Mechanism: "FUSE mount over the directory", Needs: []string{"CAP_SYS_ADMIN", "/dev/fuse"},
		Changes: []string{fmt.Sprintf("mount %s over %s: %s", u.Source, real, o.effect)},
		Radius: []string{
			"whoever opens something under " + real + " from then on",
			fmt.Sprintf("not the %d files of %d processes that are open there already", use.files, use.processes),
			"what is opened meanwhile stays on the mount until it is closed, without the fault once that has ended",
		},
	}, err
}

func (o *over) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readOver(undo)
	if err != nil {
		return err
	}
	what := serving{Path: u.Path, Was: u.Was, Source: u.Source, Effect: o.effect}
	o.server, err = worker.StartApart(workerName, what, func(pid int) error {
		i, err := proc.Look(pid)
		if err != nil {
			return err
		}
		u.Served = &served{Process: i.Process}
		return u.store(save)
	}, 5*time.Second)
	if err != nil {
		return err
	}
	go u.guard(o.server)
	u.Served.Mounted = true
	return u.store(save)
}

// guard takes the mount away when the process that serves it dies: without it, each use would be an error.
func (u overUndo) guard(server *worker.Process) {
	<-server.Done()
	_ = detach(u.Source)
}

func (o *over) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readOver(undo)
	if err != nil {
		return "", err
	}
	if there, err := oursAt(u.Source); err != nil || len(there) == 0 {
		return "", errors.Join(err, fmt.Errorf("nothing is mounted over %s", u.Path))
	}
	seen, err := o.effect.observe(u.Path, u.Source)
	return "in " + u.Path + ": " + seen, err
}

// Revert takes the mount away. Whoever opened something in it keeps it.
func (o *over) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readOver(undo)
	if err != nil || u.Served == nil {
		return fault.Outcome{}, errors.Join(err, detach(u.Source))
	}
	if !u.Served.Mounted {
		// It was cut short: the process may be about to mount, and must not after we have looked.
		if err := u.Served.kill(ctx); err != nil {
			return fault.Outcome{}, err
		}
		return fault.Outcome{}, detach(u.Source)
	}
	if !u.Ending {
		there, err := oursAt(u.Source)
		if err != nil {
			return fault.Outcome{}, err
		}
		// After a reboot there is no mount, and nobody who took it away.
		u.Ending, u.Gone = true, len(there) == 0 && u.Served.Boot == proc.BootID()
		if err := u.store(save); err != nil {
			return fault.Outcome{}, err
		}
	}
	if o.server != nil {
		o.server.Leave() // the fault ends with its input
	}
	if err := detach(u.Source); err != nil {
		return fault.Outcome{}, err
	}
	var out fault.Outcome
	if u.Gone {
		out.Superseded = append(out.Superseded, "the mount over "+u.Path+" was taken away by somebody else since, or its process was")
	}
	// The kernel tells the process of closed files a little later, and a busy machine lets it end later still.
	if !u.Served.gone(ctx, 2*time.Second) {
		out.Superseded = append(out.Superseded, fmt.Sprintf("files under %s that were opened meanwhile are still open; process %d serves them, without the fault, until they are closed", u.Path, u.Served.PID))
	}
	return out, nil
}

// kill ends the process and waits for its end.
func (s served) kill(ctx context.Context) error {
	if err := proc.Signal(s.Process, unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	if !s.gone(ctx, 5*time.Second) {
		return fmt.Errorf("process %d does not end", s.PID)
	}
	return nil
}

// gone says that the process has ended, within the bound.
func (s served) gone(ctx context.Context, bound time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		if _, err := proc.Find(s.Process); errors.Is(err, proc.ErrGone) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

func (o *over) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readOver(undo)
	if err != nil {
		return nil, err
	}
	there, err := oursAt(u.Source)
	var left []string
	for _, m := range there {
		left = append(left, fmt.Sprintf("mount %s on %s", m.source, m.point))
	}
	return left, err
}

// mountable says why no file system can be mounted here; nil when one can.
func mountable() error {
	if !capable(unix.CAP_SYS_ADMIN) {
		return errors.New("a file system can be mounted only with CAP_SYS_ADMIN: run as root")
	}
	if err := unix.Access("/dev/fuse", unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("open /dev/fuse: %w: load the kernel module fuse", err)
	}
	return nil
}

// system are directories that a machine cannot do without for a moment.
func system() []string {
	return []string{
		"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp",
		"/usr", "/usr/bin", "/usr/lib", "/usr/sbin", "/var", "/var/lib", "/var/log", "/var/tmp",
	}
}

// settleDir returns the directory with the links above it resolved, and refuses those that nothing may be mounted over.
func settleDir(path string) (string, os.FileInfo, error) {
	if why := checkPath(path); why != "" {
		return "", nil, errors.New(why)
	}
	clean := filepath.Clean(path)
	parent, err := filepath.EvalSymlinks(filepath.Dir(clean))
	if err != nil {
		return "", nil, err
	}
	real := filepath.Join(parent, filepath.Base(clean))
	st, err := os.Lstat(real)
	switch {
	case err != nil:
		return "", nil, err
	case st.Mode()&os.ModeSymlink != 0:
		to, _ := os.Readlink(real)
		return "", nil, fmt.Errorf("%s is a symbolic link to %s: name the directory itself", real, to)
	case !st.IsDir():
		return "", nil, fmt.Errorf("%s is not a directory", real)
	case slices.Contains(system(), real) || below(real, "/proc") || below(real, "/sys") || below(real, "/dev"):
		return "", nil, fmt.Errorf("%s belongs to the system: nothing is mounted over it", real)
	}
	if home, err := os.UserHomeDir(); err == nil {
		if h, err := filepath.EvalSymlinks(home); err == nil {
			home = h
		}
		if real == home || below(home, real) {
			return "", nil, fmt.Errorf("%s is or holds the home directory", real)
		}
	}
	all, err := mounts()
	if err != nil {
		return "", nil, err
	}
	for _, m := range all {
		switch {
		case m.kind == "fuse."+fuseType && (m.point == real || below(real, m.point)):
			return "", nil, fmt.Errorf("%s is under the mount %s of another fault already", real, m.source)
		case below(m.point, real):
			return "", nil, fmt.Errorf("%s holds the mount point %s: name a directory without one", real, m.point)
		}
	}
	return real, st, needed(real)
}

// needed refuses a directory in which this program or one of those that started it stands or lives.
func needed(dir string) error {
	own, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return err
	}
	for _, pid := range append(own, os.Getpid()) {
		for link, what := range map[string]string{"cwd": "works in", "exe": "runs from"} {
			at, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, link))
			if err == nil && (at == dir || below(at, dir)) {
				return fmt.Errorf("process %d, which holds this fault or started its holder, %s %s", pid, what, at)
			}
		}
	}
	return nil
}

// usage is what is open under a directory.
type usage struct {
	processes, files int
	locks            []locked
}

type locked struct{ who, path string }

// inUse looks at the files of all processes that we may look at.
func inUse(dir string) (usage, error) {
	var u usage
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return u, err
	}
	for _, p := range procs {
		if p.Name()[0] < '0' || p.Name()[0] > '9' {
			continue
		}
		files := 0
		fds, _ := os.ReadDir(filepath.Join("/proc", p.Name(), "fd"))
		for _, fd := range fds {
			at, err := os.Readlink(filepath.Join("/proc", p.Name(), "fd", fd.Name()))
			if err != nil || at != dir && !below(at, dir) {
				continue
			}
			files++
			b, err := os.ReadFile(filepath.Join("/proc", p.Name(), "fdinfo", fd.Name()))
			if err == nil && strings.Contains(string(b), "\nlock:") {
				u.locks = append(u.locks, locked{"process " + p.Name(), at})
			}
		}
		u.files += files
		if files > 0 {
			u.processes++
		}
	}
	return u, nil
}
