package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/belay-dr/belay/fault/proc"
)

// postmaster is the first process of a server, as its data directory tells.
type postmaster struct {
	proc.Info
	port int
	// children are its other processes.
	children []int
}

// pidFile is what of postmaster.pid is needed.
type pidFile struct {
	pid, port int
	status    string
}

// readPIDFile reads postmaster.pid: process ID, data directory, start, port, socket directory, address, shared memory, status.
func readPIDFile(text string) (p pidFile, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return p, errors.New("it is not complete: the server is just being started")
	}
	if p.pid, err = strconv.Atoi(strings.TrimSpace(lines[0])); err != nil || p.pid < 2 {
		return p, fmt.Errorf("%q is no process ID", lines[0])
	}
	if p.port, err = strconv.Atoi(strings.TrimSpace(lines[3])); err != nil {
		return p, fmt.Errorf("%q is no port", lines[3])
	}
	if len(lines) > 7 {
		p.status = strings.TrimSpace(lines[7])
	}
	return p, nil
}

// find finds the server of the data directory, and makes sure that it is one.
func (s Server) find() (m postmaster, err error) {
	if runtime.GOOS != "linux" {
		return m, errors.New("a server is found by its data directory only on Linux")
	}
	if _, err := os.Stat(filepath.Join(s.Data, "PG_VERSION")); err != nil {
		return m, fmt.Errorf("%s is no data directory of PostgreSQL that we may read: `show data_directory` tells which one is: %w", s.Data, err)
	}
	b, err := os.ReadFile(filepath.Join(s.Data, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("no server runs in %s", s.Data)
	}
	if err != nil {
		return m, fmt.Errorf("read postmaster.pid: %w", err)
	}
	file, err := readPIDFile(string(b))
	if err != nil {
		return m, fmt.Errorf("read postmaster.pid: %w", err)
	}
	m.port = file.port
	m.Info, err = proc.Look(file.pid)
	if errors.Is(err, proc.ErrGone) || err == nil && m.Over() {
		return m, fmt.Errorf("no server runs in %s: process %d of its postmaster.pid has ended", s.Data, file.pid)
	}
	if err != nil {
		return m, err
	}
	// A server works in its data directory. After a crash the ID may be another's.
	here, err1 := os.Stat(s.Data)
	there, err2 := os.Stat(fmt.Sprintf("/proc/%d/cwd", file.pid))
	if err := errors.Join(err1, err2); err != nil {
		return m, fmt.Errorf("look at %s: %w", m.Info, err)
	}
	if !os.SameFile(here, there) || !m.Called("postgres") && !m.Called("postmaster") {
		return m, fmt.Errorf("no server runs in %s: %s is named in its postmaster.pid and is another program", s.Data, m.Info)
	}
	_, err = os.Stat(filepath.Join(s.Data, "standby.signal"))
	if (err == nil || file.status == "standby") && !s.Standby {
		return m, fmt.Errorf("the server of %s is a standby: say standby: true if that is meant", s.Data)
	}
	m.children, err = children(file.pid)
	return m, err
}

func children(pid int) ([]int, error) {
	all, err := proc.All()
	if err != nil {
		return nil, err
	}
	var out []int
	for _, i := range all {
		if i.Parent == pid && !i.Over() {
			out = append(out, i.PID)
		}
	}
	slices.Sort(out)
	return out, nil
}
