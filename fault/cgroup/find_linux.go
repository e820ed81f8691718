package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// hierarchy is the mount that has a controller.
func hierarchy(c Controller) (mount, []mount, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}, nil, fmt.Errorf("find cgroups: %w", err)
	}
	all := parseMounts(string(b))
	for _, m := range all {
		if !m.v2 && slices.Contains(m.controllers, c.v1()) {
			return m, all, nil
		}
	}
	for _, m := range all {
		if !m.v2 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(m.point, "cgroup.controllers"))
		if err == nil && slices.Contains(strings.Fields(string(b)), string(c)) {
			return m, all, nil
		}
	}
	return mount{}, all, fmt.Errorf("no cgroup hierarchy here has the %s controller", c)
}

// Has says whether this system has the controller, and in which version.
func Has(c Controller) (version int, err error) {
	m, _, err := hierarchy(c)
	switch {
	case err != nil:
		return 0, err
	case m.v2:
		return 2, nil
	}
	return 1, nil
}

// Of is the group of a process that has the controller's files.
func Of(p proc.Process, c Controller) (Group, error) {
	m, _, err := hierarchy(c)
	if err != nil {
		return Group{}, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
	if _, gone := proc.Find(p); gone != nil {
		return Group{}, gone
	}
	if err != nil {
		return Group{}, fmt.Errorf("find cgroup of process %d: %w", p.PID, err)
	}
	name := c.v1()
	if m.v2 {
		name = ""
	}
	path, ok := parseOwn(string(b), name)
	if !ok {
		return Group{}, fmt.Errorf("process %d is in no cgroup of the %s controller", p.PID, c)
	}
	dir, ok := m.under(path)
	if !ok {
		return Group{}, fmt.Errorf("process %d is in a cgroup that cannot be reached from here: %s", p.PID, path)
	}
	return look(m, dir)
}

// At is the group with this path: its directory, or its path below the top of the hierarchy, which is the same in version
// 1 and 2.
func At(path string, c Controller) (Group, error) {
	m, all, err := hierarchy(c)
	if err != nil {
		return Group{}, err
	}
	dir := filepath.Join(m.point, path)
	for _, other := range all {
		if path != other.point && !strings.HasPrefix(path, other.point+"/") {
			continue
		}
		if other.point != m.point {
			return Group{}, fmt.Errorf("%s is not in the hierarchy that limits %s: say %q, its path below %s", path, c, "/"+strings.TrimPrefix(path[len(other.point):], "/"), m.point)
		}
		dir = filepath.Clean(path)
	}
	return look(m, dir)
}

func look(m mount, dir string) (Group, error) {
	g := Group{Path: dir, Top: m.point, V2: m.v2, Boot: proc.BootID()}
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	if errors.Is(err, unix.ENOENT) {
		return g, fmt.Errorf("no cgroup %s: /proc/PID/cgroup says in which one a process is", dir)
	}
	if err != nil {
		return g, fmt.Errorf("open %s: %w", g, err)
	}
	var top unix.Stat_t
	if err := unix.Stat(m.point, &top); err != nil || top.Dev != st.Dev || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return g, fmt.Errorf("%s is not a cgroup", dir)
	}
	g.Inode = st.Ino
	return g, nil
}
