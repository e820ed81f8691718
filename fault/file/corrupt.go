package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
)

// maxCorrupt is the largest file that is copied aside before it is corrupted.
const maxCorrupt = 1 << 30

// corrupt flips bytes in place, so that a process that has the file open meets them too.
type corrupt struct{ Corruption }

// corruptUndo is all about the file. The fingerprint after the injection is: the same inode and size, Rest for all bytes
// that were not flipped, and for each flipped byte either value. So a revert that was cut short can be repeated.
type corruptUndo struct {
	Path     string    `json:"path"`
	Stash    string    `json:"stash"`
	Was      inode     `json:"was"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	// At, Old and New are the flipped bytes in rising order of offset. They are saved before the first one is flipped.
	At   []int64 `json:"at,omitempty"`
	Old  []byte  `json:"old,omitempty"`
	New  []byte  `json:"new,omitempty"`
	Rest string  `json:"rest,omitempty"`
}

func (c corrupt) Plan(_ context.Context, ask fault.Ask) (fault.Plan, error) {
	real, st, err := settlePath(c.Path)
	if err != nil {
		return fault.Plan{}, err
	}
	n := int64(c.flips())
	var full unix.Statfs_t
	switch {
	case !st.Mode().IsRegular():
		return fault.Plan{}, fmt.Errorf("%s is not a regular file", real)
	case linksOf(st) > 1:
		return fault.Plan{}, fmt.Errorf("%s has %d names (hard links): the others would be corrupted too", real, linksOf(st))
	case st.Size() > maxCorrupt:
		return fault.Plan{}, fmt.Errorf("%s has %d bytes; a copy is kept, so at most %d can be corrupted", real, st.Size(), int64(maxCorrupt))
	case c.At != nil && *c.At+n > st.Size() || n > st.Size():
		return fault.Plan{}, fmt.Errorf("%s has only %d bytes", real, st.Size())
	case unix.Access(real, unix.R_OK|unix.W_OK) != nil:
		return fault.Plan{}, fmt.Errorf("%s cannot be read and changed by us", real)
	}
	if unix.Statfs(filepath.Dir(real), &full) == nil && uint64(st.Size()) > full.Bavail*uint64(full.Bsize) {
		return fault.Plan{}, fmt.Errorf("no room beside %s for a copy of %d bytes", real, st.Size())
	}
	u := corruptUndo{Path: real, Stash: stashName(real, ask.ID), Was: inodeOf(st)}
	if _, err := os.Lstat(u.Stash); !errors.Is(err, fs.ErrNotExist) {
		return fault.Plan{}, fmt.Errorf("%s is in the way", u.Stash)
	}
	b, err := json.Marshal(u)
	return fault.Plan{
		Target: "corrupt " + real, Class: fault.Restore, Fidelity: fault.Data, Touches: []string{real}, Undo: b,
		Changes: []string{fmt.Sprintf("copy %s (%d bytes) to %s", real, st.Size(), u.Stash), fmt.Sprintf("flip %d bytes of %s in place", n, real)},
	}, err
}

func (c corrupt) flips() int {
	if c.Bytes > 0 {
		return c.Bytes
	}
	return defaultFlips
}

func readCorrupt(undo json.RawMessage) (corruptUndo, error) {
	var u corruptUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (c corrupt) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readCorrupt(undo)
	if err != nil {
		return err
	}
	f, err := u.open()
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	u.Size, u.Modified = st.Size(), st.ModTime()
	if err := putAside(ctx, f, st, u.Stash); err != nil {
		return fmt.Errorf("put %s aside: %w", u.Path, err)
	}
	if err := c.choose(&u, f); err != nil {
		return err
	}
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	if err := save(b); err != nil {
		return err
	}
	if err := u.write(f, u.New); err != nil {
		return err
	}
	return f.Sync()
}

// open opens the file, if it is still the one of the plan.
func (u corruptUndo) open() (*os.File, error) {
	f, err := os.OpenFile(u.Path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if !u.Was.same(inodeOf(st)) {
		f.Close()
		return nil, errReplaced
	}
	return f, nil
}

var errReplaced = errors.New("the file was replaced")

// putAside copies the file to the stash, durably.
func putAside(ctx context.Context, f *os.File, st fs.FileInfo, stash string) error {
	to, err := os.OpenFile(stash, os.O_WRONLY|os.O_CREATE|os.O_EXCL, st.Mode().Perm()&0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, &ctxReader{ctx, io.NewSectionReader(f, 0, st.Size())})
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(stash))
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// choose decides which bytes are flipped and to what. Only the config and the file's bytes decide.
func (c corrupt) choose(u *corruptUndo, f *os.File) error {
	n := c.flips()
	if int64(n) > u.Size || c.At != nil && *c.At+int64(n) > u.Size {
		return fmt.Errorf("%s has only %d bytes", u.Path, u.Size)
	}
	random := rand.New(rand.NewPCG(c.Seed, 0x62656c6179))
	chosen := map[int64]bool{}
	for i := range int64(n) {
		at := random.Int64N(u.Size)
		for chosen[at] {
			at = (at + 1) % u.Size
		}
		if c.At != nil {
			at = *c.At + i
		}
		chosen[at] = true
		u.At = append(u.At, at)
	}
	slices.Sort(u.At)
	u.Old, u.New = make([]byte, n), make([]byte, n)
	for i, at := range u.At {
		if _, err := f.ReadAt(u.Old[i:i+1], at); err != nil {
			return err
		}
		u.New[i] = u.Old[i] ^ byte(1+random.IntN(255))
	}
	var err error
	u.Rest, err = u.rest(f)
	return err
}

// rest is the digest of all bytes that are not flipped.
func (u corruptUndo) rest(f *os.File) (string, error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	next := 0
	for off := int64(0); off < u.Size; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), u.Size-off)], off)
		if n == 0 && err != nil {
			return "", err
		}
		for ; next < len(u.At) && u.At[next] < off+int64(n); next++ {
			buf[u.At[next]-off] = 0
		}
		h.Write(buf[:n])
		off += int64(n)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (u corruptUndo) write(f *os.File, values []byte) error {
	for i, at := range u.At {
		if _, err := f.WriteAt(values[i:i+1], at); err != nil {
			return err
		}
	}
	return nil
}

// bytesNow are the bytes at the flipped places as they are.
func (u corruptUndo) bytesNow(f *os.File) ([]byte, error) {
	now := make([]byte, len(u.At))
	for i, at := range u.At {
		if _, err := f.ReadAt(now[i:i+1], at); err != nil {
			return nil, err
		}
	}
	return now, nil
}

func (c corrupt) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readCorrupt(undo)
	if err != nil {
		return "", err
	}
	f, err := u.open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	now, err := u.bytesNow(f)
	if err != nil {
		return "", err
	}
	if len(now) == 0 || !bytes.Equal(now, u.New) {
		return "", fmt.Errorf("%s does not have the flipped bytes", u.Path)
	}
	return fmt.Sprintf("%d bytes of %s are flipped, the first at %d", len(now), u.Path, u.At[0]), nil
}

// Revert writes the old bytes back if nothing else in the file has changed.
func (c corrupt) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readCorrupt(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	why, err := u.untouched()
	if len(u.At) > 0 {
		why, err = u.restore()
	}
	if err != nil {
		return fault.Outcome{}, err
	}
	if why != "" {
		return u.superseded(why), nil
	}
	if err := os.Remove(u.Stash); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Outcome{}, err
	}
	return fault.Outcome{}, nil
}

// untouched proves that nothing was flipped before the copy is deleted, when the record does not say which bytes are: the
// copy, whole or cut short, must be what the file begins with.
func (u corruptUndo) untouched() (superseded string, err error) {
	stash, err := os.OpenFile(u.Stash, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer stash.Close()
	differs := u.Path + " is not what was put aside: it was changed since"
	f, err := u.open()
	switch {
	case errors.Is(err, errReplaced) || errors.Is(err, unix.ELOOP) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		return differs, nil
	case err != nil:
		return "", err
	}
	defer f.Close()
	a, b := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(stash, a)
		if n == 0 && errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", err
		}
		m, err := io.ReadFull(f, b[:n])
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
			return "", err
		}
		if m < n || !bytes.Equal(a[:n], b[:n]) {
			return differs, nil
		}
	}
}

func (u corruptUndo) superseded(why string) fault.Outcome {
	out := fault.Outcome{Superseded: []string{why}}
	if _, err := os.Lstat(u.Stash); err == nil {
		out.Kept = []string{u.Stash}
	}
	return out
}

// restore puts the old bytes back, or says why it must not.
func (u corruptUndo) restore() (superseded string, err error) {
	f, err := u.open()
	switch {
	case errors.Is(err, errReplaced) || errors.Is(err, unix.ELOOP):
		return u.Path + " was replaced by somebody else since", nil
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR):
		return u.Path + " was removed by somebody else since", nil
	case err != nil:
		return "", err
	}
	defer f.Close()
	changed := u.Path + " was written to by somebody else since"
	st, err := f.Stat()
	if err != nil || st.Size() != u.Size {
		return changed, err
	}
	rest, err := u.rest(f)
	if err != nil || rest != u.Rest {
		return changed, err
	}
	now, err := u.bytesNow(f)
	if err != nil || bytes.Equal(now, u.Old) {
		return "", err
	}
	for i, b := range now {
		if b != u.New[i] && b != u.Old[i] {
			return changed, nil
		}
	}
	if err := u.write(f, u.Old); err != nil {
		return "", err
	}
	return "", errors.Join(f.Sync(), u.setModified())
}

// setModified puts the time of the last change back, and follows no link that was put there meanwhile.
func (u corruptUndo) setModified() error {
	ts, err := unix.TimeToTimespec(u.Modified)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, u.Path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

func (c corrupt) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readCorrupt(undo)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(u.Stash); err == nil {
		return []string{u.Stash}, nil
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return nil, err
	}
	return nil, nil
}
