package hold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// format is the version of the record. Another version's undo may mean something else, so it is refused.
const format = 1

// history is how many records of ended faults are kept.
const history = 200

// phase is how far a holder came. It is on disk before the work that it names begins.
type phase string

// The phases in order. Up to armed nothing has been changed.
const (
	recorded  phase = "recorded"
	armed     phase = "armed"
	injecting phase = "injecting"
	held      phase = "held"
	reverting phase = "reverting"
	settled   phase = "settled" // nothing is held any more
)

// Record is the undo record of one fault: all that a stranger needs to take it back after a crash. Only who holds the
// record's lock writes it. The write order is: record, reaper armed, injection, confirmation, revert, end.
type Record struct {
	Format int `json:"format"`
	// Writer is the binary that wrote it.
	Writer string          `json:"writer"`
	Phase  phase           `json:"phase"`
	Fault  fault.Spec      `json:"fault"`
	Status fault.Status    `json:"status"`
	Undo   json.RawMessage `json:"undo,omitempty"`
	// Claims are what no other fault may touch while this one is not settled: paths with all below them, and other names.
	Claims []string `json:"claims,omitempty"`
	// Broken says why the fault could not be injected or confirmed. Taking it back does not make that good.
	Broken string `json:"broken,omitempty"`
	// Deadline is CLOCK_BOOTTIME in nanoseconds, and means nothing in another boot than Holder's.
	Deadline int64        `json:"deadline_boot_ns"`
	Holder   proc.Process `json:"holder"`
	Changed  time.Time    `json:"changed"`
}

// store is a directory of records.
type store struct {
	dir string
}

func (s store) path(id, ext string) string { return filepath.Join(s.dir, id+ext) }

// write puts the record on disk so that it survives a power loss.
func (s store) write(r *Record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write undo record: %w", err)
	}
	if err := s.put(r.Status.ID, append(b, '\n')); err != nil {
		return fmt.Errorf("write undo record: %w", err)
	}
	return nil
}

func (s store) put(id string, b []byte) error {
	tmp := s.path(id, ".tmp")
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, s.path(id, ".json")); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read returns a record. fs.ErrNotExist is in the error when there is none.
func (s store) read(id string) (*Record, error) {
	path := s.path(id, ".json")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read undo record: %w", err)
	}
	var version struct {
		Format int    `json:"format"`
		Writer string `json:"writer"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, fmt.Errorf("read undo record %s: %w", path, err)
	}
	if version.Format != format {
		return nil, fmt.Errorf("read undo record %s: it has format %d and this belay knows only %d: use the belay that wrote it, %s",
			path, version.Format, format, version.Writer)
	}
	r := new(Record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read undo record %s: %w", path, err)
	}
	if r.Status.ID != id {
		return nil, fmt.Errorf("read undo record %s: it says that it belongs to %s", path, r.Status.ID)
	}
	return r, nil
}

// ids lists the IDs of all records, in the order of their names.
func (s store) ids() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list undo records: %w", err)
	}
	var out []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			out = append(out, id)
		}
	}
	return out, nil
}

// all reads every record, oldest first. A record that cannot be read is an error, but does not hide the others.
func (s store) all() ([]*Record, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var out []*Record
	var wrong []error
	for _, id := range ids {
		r, err := s.read(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // pruned meanwhile
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		out = append(out, r)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Status.Since.Before(out[j].Status.Since) })
	return out, errors.Join(wrong...)
}

// stillKept are the kept originals that are still there: whole workspaces are removed, and what was kept in them too.
func (r *Record) stillKept() []string {
	return slices.DeleteFunc(slices.Clone(r.Status.Kept), func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	})
}

// prune forgets the oldest ended faults beyond the history. What is held or still keeps an original is never forgotten.
func (s store) prune() {
	all, _ := s.all()
	var done []*Record
	for _, r := range all {
		if r.Phase == settled && len(r.stillKept()) == 0 {
			done = append(done, r)
		}
	}
	for _, r := range done[:max(0, len(done)-history)] {
		for _, ext := range []string{".json", ".tmp", ".halt", ".lock"} {
			_ = os.Remove(s.path(r.Status.ID, ext))
		}
	}
}
