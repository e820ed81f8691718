package file

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// File is the config of a fault in files or directories: exactly one of its keys.
type File struct {
	// Unavailable takes files or directories out of reach for a while.
	Unavailable *Paths `yaml:"unavailable,omitempty" json:"unavailable,omitempty"`
	// Lost takes them away as data that is lost: the procedure has to bring them back from somewhere else.
	// With a snapshot, what is lost is everything since it.
	Lost *Loss `yaml:"lost,omitempty" json:"lost,omitempty"`
	// Corrupt flips bytes of one file in place.
	Corrupt *Corruption `yaml:"corrupt,omitempty" json:"corrupt,omitempty"`
	// ReadOnly lets nobody write to files and directories.
	ReadOnly *Paths `yaml:"read_only,omitempty" json:"read_only,omitempty"`
	// Slow delays what is done in a directory.
	Slow *Slow `yaml:"slow,omitempty" json:"slow,omitempty"`
	// Errors lets what is done in a directory fail.
	Errors *Errors `yaml:"errors,omitempty" json:"errors,omitempty"`
}

// Loss is what is lost: files or directories as a whole, or what was done in one of them since a snapshot.
type Loss struct {
	Paths []string `yaml:"paths,omitempty" json:"paths,omitempty"`
	// Path and Snapshot go together: the file or directory at Snapshot, as it is now, takes the place of the one at Path.
	Path     string `yaml:"path,omitempty" json:"path,omitempty"`
	Snapshot string `yaml:"snapshot,omitempty" json:"snapshot,omitempty"`
}

// Short accepts {lost: /data/app.db} and {lost: [/data/app.db, /data/app.db-wal]}.
func (l *Loss) Short(values []string, _ bool) error {
	l.Paths = values
	return nil
}

// UnmarshalJSON accepts the same short forms.
func (l *Loss) UnmarshalJSON(b []byte) error {
	type plain Loss
	return fault.ShortJSON(b, l.Short, (*plain)(l))
}

func (l *Loss) check() map[string]string {
	switch {
	case l.Path == "" && l.Snapshot == "":
		return checkPaths("lost", l.Paths)
	case len(l.Paths) > 0:
		return map[string]string{"lost": "give paths, or path and snapshot"}
	case l.Path == "":
		return map[string]string{"lost.path": "say what is replaced by the snapshot"}
	case l.Snapshot == "":
		return map[string]string{"lost.snapshot": "say where the snapshot is"}
	}
	for key, path := range map[string]string{"lost.path": l.Path, "lost.snapshot": l.Snapshot} {
		if why := checkPath(path); why != "" {
			return map[string]string{key: why}
		}
	}
	if l.Path == l.Snapshot || below(l.Path, l.Snapshot) || below(l.Snapshot, l.Path) {
		return map[string]string{"lost": "path and snapshot are one inside the other"}
	}
	return nil
}

// Paths are files or directories that go together: a database and its side files. Only the first must exist. Unless all
// can be put back none is, because a new database with an old side file would be worse than either.
type Paths struct {
	Paths []string `yaml:"paths" json:"paths"`
}

// Short accepts {lost: /data/app.db} and {lost: [/data/app.db, /data/app.db-wal]}.
func (p *Paths) Short(values []string, _ bool) error {
	p.Paths = values
	return nil
}

// UnmarshalJSON accepts the same short forms.
func (p *Paths) UnmarshalJSON(b []byte) error {
	type plain Paths
	return fault.ShortJSON(b, p.Short, (*plain)(p))
}

// Corruption says which bytes of a file are flipped.
type Corruption struct {
	Path string `yaml:"path" json:"path"`
	// Bytes is how many; 0 means 64.
	Bytes int `yaml:"bytes,omitempty" json:"bytes,omitempty"`
	// At is the offset of the first one. Without it, Seed chooses places all over the file.
	At *int64 `yaml:"at,omitempty" json:"at,omitempty"`
	// Seed decides which places and which bits. The same seed and file give the same corruption.
	Seed uint64 `yaml:"seed,omitempty" json:"seed,omitempty"`
}

// Short accepts {corrupt: /data/app.db}.
func (c *Corruption) Short(values []string, list bool) error {
	if list || len(values) != 1 {
		return fmt.Errorf("give one path, or {path: ..., bytes: ..., seed: ...}")
	}
	c.Path = values[0]
	return nil
}

// UnmarshalJSON accepts the same short form.
func (c *Corruption) UnmarshalJSON(b []byte) error {
	type plain Corruption
	return fault.ShortJSON(b, c.Short, (*plain)(c))
}

const (
	defaultFlips = 64
	maxFlips     = 64 << 10
	maxPaths     = 64
)

// CheckConfig says what is wrong.
func (f *File) CheckConfig() map[string]string {
	var wrong []map[string]string
	if f.Unavailable != nil {
		wrong = append(wrong, checkPaths("unavailable", f.Unavailable.Paths))
	}
	if f.Lost != nil {
		wrong = append(wrong, f.Lost.check())
	}
	if f.Corrupt != nil {
		wrong = append(wrong, f.Corrupt.check())
	}
	if f.ReadOnly != nil {
		wrong = append(wrong, checkPaths("read_only", f.ReadOnly.Paths))
	}
	if f.Slow != nil {
		wrong = append(wrong, f.Slow.check())
	}
	if f.Errors != nil {
		wrong = append(wrong, f.Errors.check())
	}
	if len(wrong) != 1 {
		return map[string]string{"": "give exactly one of unavailable, lost, corrupt, read_only, slow and errors"}
	}
	return wrong[0]
}

func checkPaths(key string, paths []string) map[string]string {
	if len(paths) == 0 || len(paths) > maxPaths {
		return map[string]string{key: fmt.Sprintf("give one to %d paths", maxPaths)}
	}
	for i, p := range paths {
		if why := checkPath(p); why != "" {
			return map[string]string{fmt.Sprintf("%s.paths[%d]", key, i): why}
		}
		for _, q := range paths[:i] {
			if filepath.Clean(p) == filepath.Clean(q) {
				return map[string]string{fmt.Sprintf("%s.paths[%d]", key, i): p + " is in the list already"}
			}
			if below(p, q) || below(q, p) {
				return map[string]string{key: fmt.Sprintf("%s and %s are one inside the other", q, p)}
			}
		}
	}
	return nil
}

// checkPath refuses what cannot be judged by looking at it. A placeholder is filled in later and checked again then.
func checkPath(p string) string {
	switch {
	case p == "":
		return "a path is empty"
	case strings.Contains(p, "${"):
		return ""
	case !filepath.IsAbs(p):
		return fmt.Sprintf("%s: the path must be absolute", p)
	}
	for _, part := range strings.Split(p, string(filepath.Separator)) {
		if part == ".." {
			return fmt.Sprintf("%s: the path must not contain ..", p)
		}
	}
	return ""
}

func (c *Corruption) check() map[string]string {
	if why := checkPath(c.Path); why != "" {
		return map[string]string{"corrupt.path": why}
	}
	if c.Bytes < 0 || c.Bytes > maxFlips {
		return map[string]string{"corrupt.bytes": fmt.Sprintf("must be 1 to %d", maxFlips)}
	}
	if c.At != nil && *c.At < 0 {
		return map[string]string{"corrupt.at": "must not be negative"}
	}
	return nil
}

// Target is the target of the one key that is there.
func (f *File) Target() fault.Target {
	switch {
	case f.Unavailable != nil:
		return away{paths: f.Unavailable.Paths, verb: "make unavailable", fidelity: fault.Host}
	case f.Lost != nil && f.Lost.Snapshot != "":
		return since{*f.Lost}
	case f.Lost != nil:
		return away{paths: f.Lost.Paths, verb: "lose", fidelity: fault.Data}
	case f.ReadOnly != nil:
		return readOnly(f.ReadOnly.Paths)
	case f.Slow != nil:
		return f.Slow.target()
	case f.Errors != nil:
		return f.Errors.target()
	}
	return corrupt{*f.Corrupt}
}
