package file

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
)

// Slow delays what is done in a directory.
type Slow struct {
	// Path is the directory.
	Path string `yaml:"path" json:"path"`
	// Delay is how long each operation takes in addition: "100ms".
	Delay string `yaml:"delay" json:"delay"`
	// Operations are those that are delayed; without them read, write and sync are.
	Operations []string `yaml:"operations,omitempty" json:"operations,omitempty"`
	// Despite says that locks which are held on files in it are of no account: they do not hold against what is opened
	// while the fault lasts.
	Despite bool `yaml:"despite_locks,omitempty" json:"despite_locks,omitempty"`
}

// Errors lets what is done in a directory fail.
type Errors struct {
	// Path is the directory.
	Path string `yaml:"path" json:"path"`
	// Error is EIO, ENOSPC or EROFS.
	Error string `yaml:"error" json:"error"`
	// Operations are those that fail; without them it is what such an error is about: EIO is for read, write and sync,
	// ENOSPC for write and create, EROFS for everything that changes something.
	Operations []string `yaml:"operations,omitempty" json:"operations,omitempty"`
	// Despite is as in Slow.
	Despite bool `yaml:"despite_locks,omitempty" json:"despite_locks,omitempty"`
}

// The operations on a directory and what is in it.
const (
	opRead   = "read"
	opWrite  = "write"
	opSync   = "sync"
	opOpen   = "open"
	opCreate = "create"
	opRemove = "remove"
	opRename = "rename"
	opList   = "list"
	opLook   = "look"
	opChange = "change"
)

// operations says what each of them is, for a person.
func operations() map[string]string {
	return map[string]string{
		opRead:   "read from a file",
		opWrite:  "write to a file",
		opSync:   "fsync",
		opOpen:   "open a file that exists",
		opCreate: "make a file, directory or link",
		opRemove: "remove a file or directory",
		opRename: "rename",
		opList:   "list a directory",
		opLook:   "look up a name",
		opChange: "change size, mode, owner, times or attributes",
	}
}

// maxDelay is the longest delay of one operation. A longer one could not be told from a hang within the time of a confirmation.
const maxDelay = 8 * time.Second

func (s *Slow) check() map[string]string {
	if why := checkPath(s.Path); why != "" {
		return map[string]string{"slow.path": why}
	}
	if !strings.Contains(s.Delay, "${") {
		d, err := time.ParseDuration(s.Delay)
		if err != nil || d < time.Millisecond || d > maxDelay {
			return map[string]string{"slow.delay": fmt.Sprintf("%q: give a time from 1ms to %s, such as 100ms", s.Delay, maxDelay)}
		}
	}
	return checkOperations("slow.operations", s.Operations)
}

func (e *Errors) check() map[string]string {
	if why := checkPath(e.Path); why != "" {
		return map[string]string{"errors.path": why}
	}
	if !strings.Contains(e.Error, "${") && usual(e.Error) == nil {
		return map[string]string{"errors.error": fmt.Sprintf("%q: give EIO, ENOSPC or EROFS", e.Error)}
	}
	return checkOperations("errors.operations", e.Operations)
}

func checkOperations(key string, list []string) map[string]string {
	for n, op := range list {
		if _, ok := operations()[op]; !ok {
			var all []string
			for name := range operations() {
				all = append(all, name)
			}
			slices.Sort(all)
			return map[string]string{fmt.Sprintf("%s[%d]", key, n): fmt.Sprintf("%q: give some of %s", op, strings.Join(all, ", "))}
		}
	}
	return nil
}

// usual are the operations that meet an error in real life; nil for one that cannot be given.
func usual(errno string) []string {
	switch errno {
	case "EIO":
		return []string{opRead, opWrite, opSync}
	case "ENOSPC":
		return []string{opCreate, opWrite}
	case "EROFS":
		return []string{opChange, opCreate, opRemove, opRename, opWrite}
	}
	return nil
}

func (s *Slow) target() fault.Target {
	d, _ := time.ParseDuration(s.Delay)
	ops := s.Operations
	if len(ops) == 0 {
		ops = []string{opRead, opSync, opWrite}
	}
	return &over{path: s.Path, despite: s.Despite, effect: effect{Delay: d, Operations: ordered(ops)}}
}

func (e *Errors) target() fault.Target {
	ops := e.Operations
	if len(ops) == 0 {
		ops = usual(e.Error)
	}
	return &over{path: e.Path, despite: e.Despite, effect: effect{Error: e.Error, Operations: ordered(ops)}}
}

func ordered(ops []string) []string {
	ops = slices.Clone(ops)
	slices.Sort(ops)
	return slices.Compact(ops)
}

// effect is what the file system over a directory does to operations.
type effect struct {
	Delay      time.Duration `json:"delay_ns,omitempty"`
	Error      string        `json:"error,omitempty"`
	Operations []string      `json:"operations"`
}

func (e effect) String() string {
	ops := strings.Join(e.Operations, ", ")
	if e.Error != "" {
		return fmt.Sprintf("%s fails with %s", ops, e.Error)
	}
	return fmt.Sprintf("%s takes %s longer", ops, e.Delay)
}

// overUndo is all about the mount. The fingerprint after the injection is: a mount with this source.
type overUndo struct {
	Path string `json:"path"`
	Was  inode  `json:"was"`
	// Source is the name of the mount: no other has it.
	Source string `json:"source"`
	// Served says that it was mounted, and by which process; it is saved then.
	Served *served `json:"served,omitempty"`
	// Ending says that the mount was still there when the fault began to end. Gone says that it was not.
	Ending bool `json:"ending,omitempty"`
	Gone   bool `json:"gone,omitempty"`
}

func readOver(undo json.RawMessage) (overUndo, error) {
	var u overUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (u overUndo) store(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}
