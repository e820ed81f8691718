package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// readOnly lets nobody write to files and directories, with all that is in them.
type readOnly []string

// The ways to make something read-only.
const (
	// byFlag is the immutable flag: it holds for root too, and for what is open already.
	byFlag = "immutable flag"
	// byMode takes the write bits away: it does not hold for root, nor for what is open already.
	byMode = "mode bits"
)

// maxReadOnly is how many files and directories are made read-only at most.
const maxReadOnly = 10_000

// readOnlyUndo says what was how. The fingerprint after the injection is: each entry's guard is on.
type readOnlyUndo struct {
	By      string  `json:"by"`
	Entries []entry `json:"entries"`
	// Done says that all were made read-only.
	Done bool `json:"done,omitempty"`
	// Reverting says that the look at what has changed meanwhile is over. Its result is Superseded.
	Reverting  bool     `json:"reverting,omitempty"`
	Superseded []string `json:"superseded,omitempty"`
}

// entry is one file or directory.
type entry struct {
	Path string `json:"path"`
	Was  inode  `json:"was"`
	// Mode are the mode bits and Flags the inode flags that it had.
	Mode  uint32 `json:"mode"`
	Flags uint32 `json:"flags"`
	UID   uint32 `json:"uid"`
	// Handle finds the inode when its path has changed: an immutable file cannot be moved, but what it is in can.
	Handle *handle `json:"handle,omitempty"`
}

func (r readOnly) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	var u readOnlyUndo
	p := fault.Plan{Class: fault.Restore, Fidelity: fault.Host}
	for n, path := range r {
		real, st, err := settlePath(path)
		if n > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fault.Plan{}, err
		}
		if !st.Mode().IsRegular() && !st.IsDir() {
			return fault.Plan{}, fmt.Errorf("%s is neither a file nor a directory", real)
		}
		p.Touches = append(p.Touches, real)
		if u.Entries, err = addTree(ctx, u.Entries, real); err != nil {
			return fault.Plan{}, err
		}
	}
	var err error
	if u.By, u.Entries, err = way(u.Entries); err != nil {
		return fault.Plan{}, err
	}
	files := 0
	for _, e := range u.Entries {
		if e.Mode&unix.S_IFMT == unix.S_IFREG {
			files++
		}
	}
	p.Target = "make read-only " + strings.Join(p.Touches, ", ")
	p.Mechanism = u.By
	p.Changes = []string{fmt.Sprintf("set the %s of %d files and %d directories", u.By, files, len(u.Entries)-files)}
	p.Radius = []string{fmt.Sprintf("%d files and %d directories; new files in them too", files, len(u.Entries)-files)}
	if u.By == byFlag {
		p.Needs = []string{"CAP_LINUX_IMMUTABLE"}
		p.Changes = append(p.Changes, "the flag stays on across a reboot until the undo record is swept")
	} else {
		p.Changes[0] = strings.Replace(p.Changes[0], "set the mode bits", "take the write bits", 1)
		p.Radius = append(p.Radius, "not root, and not what has a file open for writing already")
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// addTree adds a file or directory with all that is in it. Links are left alone, and so are other file systems.
func addTree(ctx context.Context, to []entry, top string) ([]entry, error) {
	names := map[uint64]bool{}
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		sys := st.Sys().(*syscall.Stat_t)
		if !st.IsDir() && !st.Mode().IsRegular() || names[sys.Ino] {
			return nil
		}
		names[sys.Ino] = sys.Nlink > 1 && !st.IsDir()
		if len(to) == maxReadOnly {
			return fmt.Errorf("%s holds too much: at most %d files and directories are made read-only", top, maxReadOnly)
		}
		one := entry{Path: path, Was: inodeOf(st), Mode: uint32(sys.Mode), UID: sys.Uid}
		one.look()
		to = append(to, one)
		return nil
	})
	return to, err
}

func readReadOnly(undo json.RawMessage) (readOnlyUndo, error) {
	var u readOnlyUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// store puts an undo on disk.
func (u readOnlyUndo) store(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

func (r readOnly) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readReadOnly(undo)
	if err != nil {
		return err
	}
	for _, e := range u.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := e.open()
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", e.Path, err)
		}
		err = errors.Join(e.set(f, u.By, true), f.Close())
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", e.Path, err)
		}
	}
	u.Done = true
	return u.store(save)
}

// Confirm tries to write, to each entry that the config names and to some of what is in them.
func (r readOnly) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readReadOnly(undo)
	if err != nil {
		return "", err
	}
	const enough = 100
	tried := u.Entries[:min(enough, len(u.Entries))]
	var seen error
	for _, e := range tried {
		err := e.tryWrite(u.By)
		if err == nil {
			return "", fmt.Errorf("%s can still be written to", e.Path)
		}
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			return "", fmt.Errorf("try to write to %s: %w", e.Path, err)
		}
		seen = err
	}
	return fmt.Sprintf("%d of %d files and directories were tried, and none can be written to (%v)", len(tried), len(u.Entries), seen), nil
}

// open opens the entry, if it is still the one of the plan.
func (e entry) open() (*os.File, error) {
	f, err := os.OpenFile(e.Path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !e.Was.same(inodeOf(st)) {
		err = errReplaced
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// find opens the entry wherever it is now; nil when it is nowhere any more.
func (e entry) find() (*os.File, error) {
	f, err := e.open()
	if err == nil {
		return f, nil
	}
	gone := errors.Is(err, errReplaced) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
	if !gone {
		return nil, err
	}
	return e.byHandle()
}

// Revert gives each entry back what it had, if its guard is still on. Who took one off meanwhile wanted to write.
func (r readOnly) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readReadOnly(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if !u.Reverting {
		if u.Superseded, err = u.changed(); err != nil {
			return fault.Outcome{}, err
		}
		u.Reverting = true
		// Saved before the first guard goes, so that a revert which is cut short does not take its own work for somebody else's.
		if err := u.store(save); err != nil {
			return fault.Outcome{}, err
		}
	}
	out := fault.Outcome{Superseded: u.Superseded}
	var errs []error
	for _, e := range u.Entries {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if err := e.release(u.By); err != nil {
			errs = append(errs, fmt.Errorf("make %s writable again: %w", e.Path, err))
		}
	}
	return out, errors.Join(errs...)
}

// changed lists what is not as the injection left it.
func (u readOnlyUndo) changed() ([]string, error) {
	if !u.Done {
		return nil, nil
	}
	var out []string
	const most = 20
	for n, e := range u.Entries {
		if len(out) == most {
			return append(out, fmt.Sprintf("and perhaps more of the other %d", len(u.Entries)-n)), nil
		}
		f, err := e.find()
		if err != nil {
			return nil, err
		}
		if f == nil {
			out = append(out, e.Path+" was replaced or removed by somebody else since")
			continue
		}
		on, err := e.guarded(f, u.By)
		f.Close()
		if err != nil {
			return nil, err
		}
		if !on {
			out = append(out, e.Path+" was made writable by somebody else since")
		}
	}
	return out, nil
}

// release takes the guard of one entry off, if it is on.
func (e entry) release(by string) error {
	f, err := e.find()
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	on, err := e.guarded(f, by)
	if err != nil || !on {
		return err
	}
	return e.set(f, by, false)
}

func (r readOnly) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readReadOnly(undo)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, e := range u.Entries {
		f, err := e.find()
		if err != nil {
			return left, err
		}
		if f == nil {
			continue
		}
		on, err := e.guarded(f, u.By)
		f.Close()
		if err != nil {
			return left, err
		}
		if on {
			left = append(left, e.Path+" is still read-only")
		}
	}
	return left, nil
}

// set puts the guard on or takes it off.
func (e entry) set(f *os.File, by string, on bool) error {
	if by == byMode {
		mode := e.Mode & 0o7777
		if on {
			mode &^= 0o222
		}
		return unix.Fchmod(int(f.Fd()), mode)
	}
	return e.setFlag(f, on)
}

// guarded says that the entry is exactly as the injection left it. An entry that was read-only before needs no guard of
// ours, and has none.
func (e entry) guarded(f *os.File, by string) (bool, error) {
	if by == byFlag {
		return e.flagged(f)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, err
	}
	return uint32(st.Mode)&0o7777 == e.Mode&0o7777&^0o222, nil
}
