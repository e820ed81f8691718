// Package cgroup finds control groups, version 1 and 2, and reads and writes their files. It must never write to a group
// that is not the very one that was found: a name can come to mean another one. Start at Of, At and Group.
package cgroup

import (
	"errors"
	"path/filepath"
	"strings"
)

// ErrGone says that the group does not exist any more, or that another one has its name.
var ErrGone = errors.New("cgroup is gone")

// Controller is what limits one resource, by its name in version 2.
type Controller string

// The controllers that faults use.
const (
	CPU    Controller = "cpu"
	Memory Controller = "memory"
	IO     Controller = "io"
)

// v1 is the controller's name in version 1.
func (c Controller) v1() string {
	if c == IO {
		return "blkio"
	}
	return string(c)
}

// Group is one control group for all time. It can be kept in an undo.
type Group struct {
	// Path is its directory.
	Path string `json:"path"`
	// Top is the directory of the hierarchy that it is in.
	Top   string `json:"top"`
	V2    bool   `json:"v2,omitempty"`
	Inode uint64 `json:"inode"`
	// Boot is the boot in which it was seen.
	Boot string `json:"boot"`
}

// Root says that the group is the top of its hierarchy, which has no limits.
func (g Group) Root() bool { return g.Path == g.Top }

// String is how a person calls it: "cgroup /sys/fs/cgroup/cpu/app".
func (g Group) String() string { return "cgroup " + g.Path }

// mount is where a hierarchy is mounted.
type mount struct {
	// root is which part of the hierarchy is there, usually all: "/".
	root, point string
	v2          bool
	// controllers of version 1, by its names.
	controllers []string
}

// parseMounts reads the cgroup mounts out of a mountinfo file.
func parseMounts(mountinfo string) []mount {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var out []mount
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 || g[0] != "cgroup" && g[0] != "cgroup2" {
			continue
		}
		m := mount{root: unescape.Replace(f[3]), point: unescape.Replace(f[4]), v2: g[0] == "cgroup2"}
		if !m.v2 {
			m.controllers = strings.Split(g[2], ",")
		}
		out = append(out, m)
	}
	return out
}

// parseOwn finds the path of a process's group in the hierarchy of a controller, in its /proc/PID/cgroup. An empty controller
// means version 2.
func parseOwn(text, controller string) (string, bool) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		for name := range strings.SplitSeq(f[1], ",") {
			if name == controller && (controller != "" || f[0] == "0") {
				return f[2], true
			}
		}
	}
	return "", false
}

// under is a path of the hierarchy as a directory of the mount; not all of a hierarchy need be mounted.
func (m mount) under(path string) (string, bool) {
	rel, err := filepath.Rel(m.root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return filepath.Join(m.point, rel), true
}
