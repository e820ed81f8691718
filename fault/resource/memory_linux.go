package resource

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
)

func (m *MemoryLimit) target() fault.Target          { return limits{m} }
func (m *MemoryLimit) where() Where                  { return m.Where }
func (m *MemoryLimit) controller() cgroup.Controller { return cgroup.Memory }

// bytes is a whole number of pages, because the kernel rounds to that.
func (m *MemoryLimit) bytes() int64 {
	n, _ := m.Bytes.Bytes()
	page := int64(os.Getpagesize())
	return n / page * page
}

func (m *MemoryLimit) phrase() string { return "memory to " + Size(m.bytes()) }

// The files that hold the limit.
const (
	limit1     = "memory.limit_in_bytes"
	limit1Swap = "memory.memsw.limit_in_bytes"
	limit2     = "memory.max"
)

func limitFile(v2 bool) string {
	if v2 {
		return limit2
	}
	return limit1
}

func (m *MemoryLimit) plan(s spot, u *limitUndo) error {
	want := m.bytes()
	all, _, err := machineMemory()
	if err != nil {
		return err
	}
	if want >= all {
		return fmt.Errorf("%s is no limit on a machine with %s", Size(want), Size(all))
	}
	groups, err := chain(s.from) // also when the victims leave it: they must not get more
	if err != nil {
		return err
	}
	for _, g := range groups {
		now, err := memoryLimit(g)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if now <= want {
			return fmt.Errorf("%s is limited to %s already: ask for less", g, Size(now))
		}
	}
	if s.alone {
		u.Settings = m.fresh(s.base, want)
		return nil
	}
	if err := m.spares(s.base, want); err != nil {
		return err
	}
	return m.settings(s.base, want, u)
}

// fresh are the settings of a group that is made: they need not be put back.
func (m *MemoryLimit) fresh(base cgroup.Group, want int64) []setting {
	out := []setting{{File: limitFile(base.V2), New: strconv.FormatInt(want, 10)}}
	if _, err := base.Read(limit1Swap); !base.V2 && err == nil {
		out = append(out, setting{File: limit1Swap, New: out[0].New})
	}
	return out
}

// settings are the limit of memory and, in version 1, the limit of memory and swap together if that would let more through.
func (m *MemoryLimit) settings(g cgroup.Group, want int64, u *limitUndo) error {
	for _, file := range []string{limitFile(g.V2), limit1Swap} {
		old, err := g.Read(file)
		if errors.Is(err, os.ErrNotExist) && file == limit1Swap {
			break
		}
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s has no %s: the memory controller is not enabled for it", g, file)
		}
		if err != nil {
			return err
		}
		u.Settings = append(u.Settings, setting{File: file, Old: old, New: strconv.FormatInt(want, 10)})
		if g.V2 {
			break
		}
	}
	return nil
}

// spares refuses a limit below what is in use and cannot be given back: the kernel would kill at once, or refuse.
func (m *MemoryLimit) spares(g cgroup.Group, want int64) error {
	held, err := heldMemory(g)
	if err != nil {
		return err
	}
	switch {
	case held < want:
		return nil
	case !g.V2:
		return fmt.Errorf("the processes in %s hold %s, and cgroup v1 takes no limit below that: ask for more than %s", g, Size(held), Size(want))
	case !m.MayKill:
		return fmt.Errorf("the processes in %s hold %s: at a limit of %s the kernel kills some at once: ask for more, or say may_kill: true", g, Size(held), Size(want))
	}
	return nil
}

// heldMemory is what the processes hold and the kernel cannot take back without swap.
func heldMemory(g cgroup.Group) (int64, error) {
	st, err := g.Stat("memory.stat")
	if err != nil {
		return 0, err
	}
	if g.V2 {
		return st["anon"] + st["shmem"], nil
	}
	return st["total_rss"] + st["total_shmem"], nil
}

// memoryLimit is a group's own limit; the largest number when there is none.
func memoryLimit(g cgroup.Group) (int64, error) {
	text, err := g.Read(limitFile(g.V2))
	if err != nil {
		return 0, err
	}
	if text == "max" {
		return math.MaxInt64, nil
	}
	return strconv.ParseInt(text, 10, 64)
}

// memoryUse is what a group uses now, with caches.
func memoryUse(g cgroup.Group) (int64, error) {
	file := "memory.usage_in_bytes"
	if g.V2 {
		file = "memory.current"
	}
	text, err := g.Read(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func (m *MemoryLimit) confirm(_ context.Context, u limitUndo) (string, error) {
	limit, err := memoryLimit(u.Group)
	if err != nil {
		return "", err
	}
	use, err := memoryUse(u.Group)
	if err != nil {
		return "", err
	}
	inside, err := u.Group.All()
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("the limit of %s is in place; %s in %s use %s of it", Size(limit), count(inside), u.Group, Size(use))
	if len(inside) == 1 {
		text = strings.Replace(text, " use ", " uses ", 1)
	}
	return text, nil
}
