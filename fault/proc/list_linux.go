package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// All are the processes that run now, with those of the kernel and those that have ended unnoticed.
func All() ([]Info, error) {
	list, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var out []Info
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		i, err := Look(pid)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

// Called says that a process is called so: by its name in the kernel (of which there are 15 characters at most), by the
// base name of its executable, or by that of its first argument.
func (i Info) Called(name string) bool {
	if i.Name == name {
		return true
	}
	dir := "/proc/" + strconv.Itoa(i.PID)
	if exe, err := os.Readlink(dir + "/exe"); err == nil && filepath.Base(strings.TrimSuffix(exe, " (deleted)")) == name {
		return true
	}
	b, err := os.ReadFile(dir + "/cmdline")
	first, _, _ := bytes.Cut(b, []byte{0})
	return err == nil && len(first) > 0 && filepath.Base(string(first)) == name
}

// Same says that two processes run the same executable.
func Same(a, b int) bool {
	one, err1 := os.Stat(fmt.Sprintf("/proc/%d/exe", a))
	two, err2 := os.Stat(fmt.Sprintf("/proc/%d/exe", b))
	return err1 == nil && err2 == nil && os.SameFile(one, two)
}
