package proc

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// All are the processes that run now.
func All() ([]Info, error) {
	list, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var out []Info
	for _, k := range list {
		i, err := Look(int(k.Proc.P_pid))
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

// Called says that a process is called so in the kernel (of which there are 16 characters at most).
func (i Info) Called(name string) bool { return i.Name == name }

// Kin cannot be told here.
func Kin(int) bool { return false }
