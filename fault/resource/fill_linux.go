package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/proc"
)

func (d *DiskFill) target() fault.Target { return &fill{DiskFill: d} }

// fill takes a file system's free blocks with a file that has no name: the kernel gives them back when nobody has it open.
type fill struct {
	*DiskFill
	file *os.File
}

// fillUndo has nothing that another process could take back: it can only wait until the kernel has.
type fillUndo struct {
	Dir string `json:"dir"`
	// Bytes is how much was asked for; 0 means all but Leave.
	Bytes int64 `json:"bytes,omitempty"`
	Leave int64 `json:"leave,omitempty"`
	// Holder is who has the file open.
	Holder *proc.Process `json:"holder,omitempty"`
}

// all says that nothing is to be left.
func (u fillUndo) all() bool { return u.Bytes == 0 && u.Leave == 0 }

func readFill(undo json.RawMessage) (fillUndo, error) {
	var u fillUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (d *fill) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	u := fillUndo{Dir: d.Dir}
	if d.Bytes != "" {
		u.Bytes, _ = d.Bytes.Bytes()
	}
	if d.Leave != "" {
		u.Leave, _ = d.Leave.Bytes()
	}
	fs, err := d.look()
	if err != nil {
		return fault.Plan{}, err
	}
	take := u.Bytes
	if take == 0 {
		take = fs.free - u.Leave
	}
	switch {
	case take <= 0:
		return fault.Plan{}, fmt.Errorf("the file system of %s has only %s free: ask to leave less than %s", d.Dir, Size(fs.free), Size(u.Leave))
	case take > fs.free:
		return fault.Plan{}, fmt.Errorf("the file system of %s has only %s free: ask for less than %s", d.Dir, Size(fs.free), Size(take))
	}
	if err := fs.spares(d.Dir, take); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Class: fault.SelfEnding, Fidelity: fault.Host, KernelEnds: true, Mechanism: "O_TMPFILE",
		Target:  fmt.Sprintf("fill the file system of %s", d.Dir),
		Changes: []string{fmt.Sprintf("take %s of its %s free with a file without a name", Size(take), Size(fs.free))},
		Radius:  []string{fmt.Sprintf("everything that writes to %s: %s of %s stay free", fs.point, Size(fs.free-take), Size(fs.size))},
		Claims:  []string{fmt.Sprintf("free space of file system %d:%d", unix.Major(fs.dev), unix.Minor(fs.dev))},
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// space is a file system.
type space struct {
	dev        uint64
	size, free int64
	point      string
	// memory says that its blocks are the machine's memory.
	memory bool
}

// look refuses a directory that cannot be filled, or must not be.
func (d *fill) look() (space, error) {
	var s space
	var st unix.Stat_t
	if err := unix.Stat(d.Dir, &st); err != nil {
		return s, fmt.Errorf("fill %s: %w", d.Dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return s, fmt.Errorf("fill %s: it is not a directory", d.Dir)
	}
	f, err := nameless(d.Dir)
	if err != nil {
		return s, err
	}
	f.Close()
	fs, err := statfs(d.Dir)
	if err != nil {
		return s, err
	}
	s = space{dev: st.Dev, size: fs.bytes(), free: fs.avail(), point: "the file system of " + d.Dir}
	s.memory = fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
	if d.RecordsToo {
		return s, nil
	}
	dir, err := hold.DefaultDir()
	if err != nil {
		return s, err
	}
	if on, ok := deviceOf(dir); ok && on == st.Dev {
		return s, fmt.Errorf("the undo records (%s) are on the file system of %s: set BELAY_STATE_DIR to another one, or say records_too: true", dir, d.Dir)
	}
	return s, nil
}

// deviceOf is the file system that a path is on, or will be when it is made.
func deviceOf(path string) (uint64, bool) {
	for {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			return st.Dev, true
		}
		up := filepath.Dir(path)
		if up == path {
			return 0, false
		}
		path = up
	}
}

// spares refuses to fill a file system in memory with memory that the machine cannot spare.
func (s space) spares(dir string, take int64) error {
	if !s.memory {
		return nil
	}
	r, err := roomIn(nil)
	if err != nil {
		return err
	}
	if reserve := max(r.all/10, leastReserve); r.available-take < reserve {
		return fmt.Errorf("%s is in memory: %s more would leave %s of the %s that %s has, and %s must stay available: ask for less",
			dir, Size(take), Size(max(0, r.available-take)), Size(r.all), r.of, Size(reserve))
	}
	return nil
}

type fileSystem struct{ unix.Statfs_t }

func statfs(dir string) (fileSystem, error) {
	var fs fileSystem
	err := unix.Statfs(dir, &fs.Statfs_t)
	if err != nil {
		err = fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	return fs, err
}

func (f fileSystem) avail() int64 { return int64(f.Bavail) * f.Bsize }
func (f fileSystem) bytes() int64 { return int64(f.Blocks) * f.Bsize }

// nameless opens a file without a name.
func nameless(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR):
		return nil, fmt.Errorf("the file system of %s has no files without a name (O_TMPFILE), so nothing would be sure to go away again", dir)
	case err != nil:
		return nil, &os.PathError{Op: "make a nameless file", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

func (d *fill) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readFill(undo)
	if err != nil {
		return err
	}
	me, err := proc.Self()
	if err != nil {
		return err
	}
	u.Holder = &me
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(b); err != nil {
		return err
	}
	if d.file, err = nameless(u.Dir); err != nil {
		return err
	}
	// What is left is looked at again: others write too.
	take := u.Bytes
	if take == 0 {
		fs, err := statfs(u.Dir)
		if err != nil {
			return err
		}
		take = fs.avail() - u.Leave
		if u.all() {
			take = fs.bytes()
		}
	}
	got, err := allocate(ctx, d.file, take)
	if err == nil && u.Bytes > 0 && got < u.Bytes {
		err = fmt.Errorf("the file system of %s was full after %s", u.Dir, Size(got))
	}
	return err
}

// leastPiece is smaller than any block of a file system that matters.
const leastPiece = 4 << 10

// allocate takes so many bytes for the file, or as many as there are.
func allocate(ctx context.Context, f *os.File, take int64) (got int64, err error) {
	for size := int64(1 << 30); got < take && size >= leastPiece; {
		if err := ctx.Err(); err != nil {
			return got, err
		}
		size = min(size, max(take-got, leastPiece))
		err := unix.Fallocate(int(f.Fd()), 0, got, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG):
			size /= 2
		case errors.Is(err, unix.EOPNOTSUPP):
			return got, fmt.Errorf("this file system cannot set blocks aside (fallocate)")
		case err != nil:
			return got, fmt.Errorf("take free space: %w", err)
		default:
			got += size
		}
	}
	return got, nil
}

// triedLeave is the largest rest that is really written to see that no more goes in.
const triedLeave = 16 << 20

// Confirm looks at the file system, and where little or nothing is left writes until there is no space.
func (d *fill) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readFill(undo)
	if err != nil {
		return "", err
	}
	if d.file == nil {
		return "", errors.New("only the process that filled it has the file")
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(d.file.Fd()), &st); err != nil {
		return "", fmt.Errorf("look at the file: %w", err)
	}
	fs, err := statfs(u.Dir)
	if err != nil {
		return "", err
	}
	taken, left := st.Blocks*512, fs.avail()
	switch {
	case u.Bytes > 0 && taken < u.Bytes:
		return "", fmt.Errorf("%s of %s are taken", Size(taken), Size(u.Bytes))
	case u.Bytes > 0:
		return fmt.Sprintf("%s are taken, %s of %s stay free", Size(taken), Size(left), Size(fs.bytes())), nil
	case left > u.Leave+u.Leave/10+leastPiece*64:
		return "", fmt.Errorf("%s are still free, and %s were to stay", Size(left), Size(u.Leave))
	case u.Leave > triedLeave:
		return fmt.Sprintf("%s are taken, %s stay free", Size(taken), Size(left)), nil
	}
	wrote, err := writeAll(ctx, u.Dir, 2*triedLeave)
	if err == nil {
		return "", fmt.Errorf("%s could still be written in %s", Size(wrote), u.Dir)
	}
	if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return "", err
	}
	return fmt.Sprintf("%s are taken; a write in %s ended after %s: %v", Size(taken), u.Dir, Size(wrote), unix.ENOSPC), nil
}

// writeAll writes real bytes to a file without a name until there is no space, or enough were written.
func writeAll(ctx context.Context, dir string, enough int64) (int64, error) {
	f, err := nameless(dir)
	if err != nil {
		if errors.Is(err, unix.ENOSPC) { // not even a file can be made
			return 0, unix.ENOSPC
		}
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 64<<10)
	for n := range b {
		b[n] = byte(n*7 + n>>8)
	}
	wrote := int64(0)
	for wrote < enough && ctx.Err() == nil {
		n, err := f.Write(b)
		wrote += int64(n)
		if err == nil && wrote%(1<<20) == 0 {
			err = f.Sync() // some file systems say it only then
		}
		switch {
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
			return wrote, unix.ENOSPC
		case err != nil:
			return wrote, fmt.Errorf("write in %s: %w", dir, err)
		}
	}
	return wrote, ctx.Err()
}

// Revert closes the file. In another process there is nothing to close: the kernel does that when the holder ends, and this
// waits until it has.
func (d *fill) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	if d.file != nil {
		_ = d.file.Close() // what matters is that it is no longer open, and it never is after this
		d.file = nil
	}
	u, err := readFill(undo)
	switch {
	case err != nil || u.Holder == nil:
		return fault.Outcome{}, err
	case u.Holder.PID == os.Getpid():
		u.Holder = nil
		b, err := json.Marshal(u)
		return fault.Outcome{}, errors.Join(err, save(b))
	}
	if !waitEnded(ctx, *u.Holder, 10*time.Second) {
		return fault.Outcome{}, fmt.Errorf("process %d, which fills %s, does not end", u.Holder.PID, u.Dir)
	}
	return fault.Outcome{}, nil
}

// Residue has nothing to look for but who has the file open: it never had a name.
func (d *fill) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readFill(undo)
	if err != nil {
		return nil, err
	}
	if d.file != nil || u.Holder != nil && u.Holder.PID != os.Getpid() && !ended(*u.Holder) {
		return []string{"the file without a name in " + u.Dir}, nil
	}
	return nil, nil
}
