// Package proc names processes so that a recycled process ID is never hit: by ID, start time and boot. It must never
// send a signal to a process whose start it has not just compared. Start at Look and Signal.
package proc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone says that the process is no longer there, or that another one has its ID now.
var ErrGone = errors.New("process is gone")

// Process is one process for all time.
type Process struct {
	PID int `json:"pid"`
	// Start is the start time in the system's own unit; only equality means anything.
	Start string `json:"start"`
	// Boot is the ID of the boot in which it ran.
	Boot string `json:"boot"`
}

// The states that matter here. Linux letters are used on every system.
const (
	Stopped = 'T'
	Traced  = 't'
	Zombie  = 'Z'
	Dead    = 'X'
)

// Info is what the system says about a process now.
type Info struct {
	Process
	Name   string
	State  byte
	Parent int
	UID    int
	// Kernel says that it is a thread of the kernel itself.
	Kernel bool

	// threads is how many threads it has, where the system says so.
	threads int
}

// Over says that the process has ended, whether or not its parent has asked for its exit status. One whose first thread has
// ended while others go on has not.
func (i Info) Over() bool { return i.State == Zombie && i.threads <= 1 || i.State == Dead }

// String is how a person names it: "process 4711 (nginx)".
func (i Info) String() string { return fmt.Sprintf("process %d (%s)", i.PID, i.Name) }

// Find looks for exactly this process. ErrGone means that it has ended or that its ID belongs to another one.
func Find(p Process) (Info, error) {
	if p.Boot != BootID() {
		return Info{}, ErrGone
	}
	i, err := Look(p.PID)
	if err != nil {
		return Info{}, err
	}
	if i.Start != p.Start || i.Over() {
		return Info{}, ErrGone
	}
	return i, nil
}

// Ancestors are the process with this ID and all that it descends from, nearest first.
func Ancestors(pid int) ([]int, error) {
	var out []int
	for pid > 0 && len(out) < 1024 {
		out = append(out, pid)
		i, err := Look(pid)
		if errors.Is(err, ErrGone) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		pid = i.Parent
	}
	return out, nil
}

// Self is this process.
func Self() (Process, error) {
	i, err := Look(unix.Getpid())
	return i.Process, err
}

// WaitGone returns nil once the process has ended, or the context's error.
func WaitGone(ctx context.Context, p Process) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := Find(p); errors.Is(err, ErrGone) {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
