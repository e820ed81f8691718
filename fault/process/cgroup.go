package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/proc"
)

// Group is one control group for all time: its directory, which inode that is, and the boot.
type Group struct {
	Dir   string `json:"dir"`
	Inode uint64 `json:"inode"`
	Boot  string `json:"boot"`
	V2    bool   `json:"v2,omitempty"`
	// Freezer is the directory of the same group in v1's freezer hierarchy, if it is there.
	Freezer string `json:"freezer,omitempty"`
	// Name is how a person calls it: "cgroup /system.slice/nginx.service".
	Name string `json:"name"`
}

// errGroupGone says that the control group is not there any more, or that another one has its name.
var errGroupGone = errors.New("the control group is gone")

// findGroup finds a control group by its path in the hierarchy or by its directory. Of several hierarchies it takes the
// first in which the group has processes.
func findGroup(path string) (Group, error) {
	all, err := hierarchies()
	if err != nil {
		return Group{}, fmt.Errorf("find cgroup %s: control groups exist only on Linux: %w", path, err)
	}
	var found []Group
	freezer := ""
	for _, h := range all {
		dir, ok := h.place(path)
		var st unix.Stat_t
		if !ok || unix.Stat(filepath.Join(dir, "cgroup.procs"), &st) != nil || unix.Stat(dir, &st) != nil {
			continue
		}
		if dir == h.dir && h.root == "/" {
			return Group{}, fmt.Errorf("cgroup %s holds the whole system: name one below it", path)
		}
		if h.freezer() {
			freezer = dir
		}
		found = append(found, Group{Dir: dir, Inode: st.Ino, Boot: proc.BootID(), V2: h.v2, Name: "cgroup " + path})
	}
	if len(found) == 0 {
		return Group{}, fmt.Errorf("there is no cgroup %s: /proc/PID/cgroup says in which one a process is", path)
	}
	for n, g := range found {
		// One of that name which does not hold the processes would freeze nothing.
		if !g.V2 && g.Dir == freezer {
			found[n].Freezer = freezer
		}
		if pids, err := g.processes(); err == nil && len(pids) > 0 {
			return found[n], nil
		}
	}
	return found[0], nil
}

// check says that it is still the same control group.
func (g Group) check() error {
	var st unix.Stat_t
	err := unix.Stat(g.Dir, &st)
	if errors.Is(err, unix.ENOENT) || err == nil && st.Ino != g.Inode || g.Boot != proc.BootID() {
		return errGroupGone
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", g.Name, err)
	}
	return nil
}

// processes are those in the control group and in all below it.
func (g Group) processes() ([]int, error) {
	var out []int
	err := filepath.WalkDir(g.Dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil // removed meanwhile, or its processes are listed above it
		}
		if err != nil {
			return err
		}
		for word := range strings.FieldsSeq(string(b)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			if i, err := proc.Look(pid); pid != 0 && (err != nil || i.Over()) {
				continue // it has ended, and nobody has asked for its exit status
			}
			out = append(out, pid) // 0 is a process of another PID namespace: it is refused later
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list processes of %s: %w", g.Name, err)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// populated are the processes of a control group that has some.
func (g Group) populated() ([]int, error) {
	pids, err := g.processes()
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("%s holds no process", g.Name)
	}
	return pids, err
}

// freezeFile is what freezes the group, and the words that it takes and shows.
func (g Group) freezeFile() (path, frozen, thawed string) {
	if g.V2 {
		return filepath.Join(g.Dir, "cgroup.freeze"), "1", "0"
	}
	return filepath.Join(g.Freezer, "freezer.state"), "FROZEN", "THAWED"
}

// asked says that somebody asked for this very group to be frozen, whether or not one above it is.
func (g Group) asked() (bool, error) {
	path, _, _ := g.freezeFile()
	if !g.V2 {
		path = filepath.Join(g.Freezer, "freezer.self_freezing")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("look whether %s is frozen: %w", g.Name, err)
	}
	return strings.TrimSpace(string(b)) == "1", nil
}

// set freezes the group or thaws it.
func (g Group) set(freeze bool) error {
	path, word, thawed := g.freezeFile()
	verb := "freeze"
	if !freeze {
		word, verb = thawed, "thaw"
	}
	if err := os.WriteFile(path, []byte(word), 0); err != nil {
		return fmt.Errorf("%s %s: %w", verb, g.Name, err)
	}
	return nil
}

// frozen is the kernel's word that every task in the group stands still.
func (g Group) frozen() (bool, error) {
	if g.V2 {
		b, err := os.ReadFile(filepath.Join(g.Dir, "cgroup.events"))
		return slices.Contains(strings.Split(string(b), "\n"), "frozen 1"), err
	}
	path, word, _ := g.freezeFile()
	b, err := os.ReadFile(path)
	return strings.TrimSpace(string(b)) == word, err
}

// freezable says why a group cannot be frozen.
func (g Group) freezable() error {
	path, _, _ := g.freezeFile()
	if !g.V2 && g.Freezer == "" {
		return fmt.Errorf("%s is in no hierarchy that can freeze: process.stop can stop its processes", g.Name)
	}
	if err := unix.Access(path, unix.W_OK); err != nil {
		return fmt.Errorf("%s: write %s: %w: root may, or the owner of a delegated group", g.Name, path, err)
	}
	return nil
}
