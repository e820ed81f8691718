package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// Kin says that a process runs the same executable as this one, and was started with the same arguments and perhaps more: a
// holder's reaper and workers are. A program that is only another command of the same executable is not.
func Kin(pid int) bool {
	one, err1 := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	two, err2 := os.Stat("/proc/self/exe")
	if err1 != nil || err2 != nil || !os.SameFile(one, two) {
		return false
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return true // better one too many
	}
	argv := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	return len(argv) >= len(os.Args) && slices.Equal(argv[1:len(os.Args)], os.Args[1:])
}
