package process

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/belay-dr/belay/fault/proc"
)

// Find returns the processes that are meant, and refuses those that must not be hit, too many, and none.
func (v Victim) Find() ([]proc.Info, error) {
	found, _, err := v.find()
	return found, err
}

// find returns also the control group, when a whole one is meant.
func (v Victim) find() ([]proc.Info, *Group, error) {
	pids, what, group, err := v.pids()
	if err != nil {
		return nil, nil, err
	}
	if limit := max(1, v.Max); len(pids) > limit {
		return nil, nil, fmt.Errorf("%s names %d processes and max is %d: choose fewer, or raise max: %s", what, len(pids), limit, list(pids))
	}
	own, err := proc.Ancestors(os.Getpid())
	if err != nil {
		return nil, nil, err
	}
	var out []proc.Info
	for _, pid := range pids {
		i, err := v.look(pid, own)
		if err != nil && group != nil {
			err = fmt.Errorf("%s: %w", group.Name, err)
		}
		if err != nil && v.PIDFile != "" && len(v.among) == 0 {
			err = fmt.Errorf("%s: %w", v.PIDFile, err)
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, i)
	}
	return out, group, nil
}

// pids are the processes that the selector names, and the phrase that names it.
func (v Victim) pids() (pids []int, what string, group *Group, err error) {
	switch {
	case len(v.among) > 0:
		return v.among, "it", nil, nil
	case v.PIDFile != "":
		pids, err = proc.ReadPIDFile(v.PIDFile)
		return pids, v.PIDFile, nil, err
	case v.Name != "":
		pids, err = v.called()
		return pids, fmt.Sprintf("name %s of %s", v.Name, v.Owner), nil, err
	case v.Unit != "":
		return v.unit()
	case v.Cgroup != "":
		g, err := findGroup(v.Cgroup)
		if err != nil {
			return nil, "", nil, err
		}
		pids, err = g.populated()
		return pids, g.Name, &g, err
	}
	return []int{v.PID}, "pid", nil, nil
}

// unit asks systemd.
func (v Victim) unit() (pids []int, what string, group *Group, err error) {
	u, err := showUnit(v.Unit)
	if err != nil {
		return nil, "", nil, err
	}
	if !v.Whole {
		if u.main == 0 {
			return nil, "", nil, fmt.Errorf("unit %s is %s and has no main process: whole: true takes all of its control group", v.Unit, u.state)
		}
		return []int{u.main}, "unit " + v.Unit, nil, nil
	}
	if u.group == "" || u.group == "/" {
		return nil, "", nil, fmt.Errorf("unit %s is %s and has no control group of its own", v.Unit, u.state)
	}
	g, err := findGroup(u.group)
	if err != nil {
		return nil, "", nil, err
	}
	pids, err = g.populated()
	return pids, "unit " + v.Unit, &g, err
}

// called are the processes of this name and owner.
func (v Victim) called() ([]int, error) {
	uid, err := userID(v.Owner)
	if err != nil {
		return nil, err
	}
	all, err := proc.All()
	if err != nil {
		return nil, err
	}
	var out, others []int
	for _, i := range all {
		switch {
		case i.Kernel && i.Name == v.Name:
			return nil, fmt.Errorf("%s is a thread of the kernel: it is never hit", i)
		case i.Kernel || i.Over() || !i.Called(v.Name):
		case i.UID == uid:
			out = append(out, i.PID)
		default:
			others = append(others, i.PID)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	hint := "`ps -eo pid,user,comm,args` shows what runs"
	if len(others) > 0 {
		hint = fmt.Sprintf("%s of other users", list(others))
	}
	return nil, fmt.Errorf("no process called %s belongs to %s: %s", v.Name, v.Owner, hint)
}

func userID(owner string) (int, error) {
	if uid, err := strconv.Atoi(owner); err == nil {
		return uid, nil
	}
	u, err := user.Lookup(owner)
	if err != nil {
		return 0, fmt.Errorf("owner %s: there is no such user: give a name of /etc/passwd or a number", owner)
	}
	return strconv.Atoi(u.Uid)
}

// look refuses one process that must not be hit.
func (v Victim) look(pid int, own []int) (proc.Info, error) {
	if pid <= 1 {
		return proc.Info{}, fmt.Errorf("process %d is never hit", pid)
	}
	i, err := proc.Look(pid)
	switch {
	case errors.Is(err, proc.ErrGone) || err == nil && i.Over():
		return i, fmt.Errorf("process %d does not run: is the service up", pid)
	case err != nil:
		return i, err
	case i.Kernel:
		return i, fmt.Errorf("%s is a thread of the kernel: it is never hit", i)
	case slices.Contains(own, pid):
		return i, fmt.Errorf("%s is this fault's own holder or one of those that started it", i)
	case proc.Kin(pid):
		return i, fmt.Errorf("%s was started like this fault's holder: it may be its reaper", i)
	case i.UID != os.Geteuid() && os.Geteuid() != 0:
		return i, fmt.Errorf("%s belongs to user %d, not to us (%d): run as that user, or as root", i, i.UID, os.Geteuid())
	case i.UID != os.Geteuid() && !v.AnyUser && v.Owner == "":
		return i, fmt.Errorf("%s belongs to user %d: say any_user: true if root may hit it", i, i.UID)
	}
	return i, nil
}

// list names the first few processes.
func list(pids []int) string {
	const few = 5
	var names []string
	for _, pid := range pids[:min(few, len(pids))] {
		name := "?"
		if i, err := proc.Look(pid); err == nil {
			name = i.Name
		}
		names = append(names, fmt.Sprintf("%d (%s)", pid, name))
	}
	if len(pids) > few {
		names = append(names, fmt.Sprintf("and %d more", len(pids)-few))
	}
	return strings.Join(names, ", ")
}

func plainName(s string) bool {
	return !strings.ContainsAny(s, "/*?[]\x00\n") && strings.TrimSpace(s) == s
}

func absolute(p string) bool {
	return path.IsAbs(p) && !slices.Contains(strings.Split(p, "/"), "..") && !strings.Contains(p, "\x00")
}
