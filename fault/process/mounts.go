package process

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is one mounted tree of control groups.
type hierarchy struct {
	// root is what of the tree is mounted at dir; in a container it is not "/".
	root, dir string
	v2        bool
	// controllers of a v1 hierarchy: "freezer", "name=systemd".
	controllers []string
}

// hierarchies are those that are mounted here: v2 first, then the freezer, then the others.
func hierarchies() ([]hierarchy, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return readMounts(string(b)), nil
}

// readMounts reads proc(5)'s mountinfo. Lines of other file systems, and broken ones, are left out.
func readMounts(text string) []hierarchy {
	var out []hierarchy
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		mount, fs := strings.Fields(left), strings.Fields(right)
		if !ok || len(mount) < 5 || len(fs) < 1 {
			continue
		}
		h := hierarchy{root: plainPath(mount[3]), dir: plainPath(mount[4]), v2: fs[0] == "cgroup2"}
		switch {
		case h.v2:
		case fs[0] == "cgroup" && len(fs) > 2:
			h.controllers = strings.Split(fs[2], ",")
		default:
			continue
		}
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(a, b hierarchy) int { return a.rank() - b.rank() })
	return out
}

func (h hierarchy) rank() int {
	switch {
	case h.v2:
		return 0
	case h.freezer():
		return 1
	case slices.Contains(h.controllers, "name=systemd"):
		return 2
	}
	return 3
}

func (h hierarchy) freezer() bool { return slices.Contains(h.controllers, "freezer") }

// place is the directory of a path in this hierarchy, whether it is given as such a path or as a directory.
func (h hierarchy) place(path string) (dir string, ok bool) {
	path = filepath.Clean(path)
	if path == h.dir || strings.HasPrefix(path, h.dir+"/") {
		return path, true
	}
	if h.root == "/" {
		return filepath.Join(h.dir, path), true
	}
	rest, inside := strings.CutPrefix(path, h.root)
	if !inside || rest != "" && rest[0] != '/' {
		return "", false
	}
	return filepath.Join(h.dir, rest), true
}

// plainPath takes back the octal escapes of mountinfo.
func plainPath(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
