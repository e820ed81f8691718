package resource

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// machineMemory is how much memory the machine has, and how much of it is available without swapping.
func machineMemory() (all, available int64, err error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, fmt.Errorf("read memory of the machine: %w", err)
	}
	return parseMeminfo(string(b))
}

func parseMeminfo(text string) (all, available int64, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 43)
		if err != nil {
			continue
		}
		switch f[0] {
		case "MemTotal:":
			all = n << 10
		case "MemAvailable:":
			available = n << 10
		}
	}
	if all == 0 {
		return 0, 0, errors.New("read memory of the machine: /proc/meminfo does not say")
	}
	return all, available, nil
}

// room is how much memory there is for a new process, and out of how much: on the machine, and in every cgroup around.
type room struct {
	all, available int64
	// of says what sets the bound: "this machine", "cgroup /app".
	of string
}

// roomIn is the tightest room of a process that is put into this group; nil means our own group.
func roomIn(g *cgroup.Group) (room, error) {
	var r room
	var err error
	if r.all, r.available, err = machineMemory(); err != nil {
		return r, err
	}
	r.of = "this machine"
	if g == nil {
		me, err := proc.Self()
		if err != nil {
			return r, err
		}
		own, err := cgroup.Of(me, cgroup.Memory)
		if err != nil {
			return r, nil // no memory controller: the machine is the bound
		}
		g = &own
	}
	groups, err := chain(*g)
	if err != nil {
		return r, err
	}
	for _, g := range groups {
		limit, err := memoryLimit(g)
		if err != nil || limit >= r.all {
			continue
		}
		held, err := heldMemory(g)
		if err != nil {
			return r, err
		}
		if limit-held < r.available {
			r = room{limit, max(0, limit-held), g.String()}
		}
	}
	return r, nil
}
