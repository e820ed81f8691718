package resource

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
)

func (c *CPULimit) target() fault.Target          { return limits{c} }
func (c *CPULimit) where() Where                  { return c.Where }
func (c *CPULimit) controller() cgroup.Controller { return cgroup.CPU }

func (c *CPULimit) phrase() string { return fmt.Sprintf("processor time to %s", cpus(c.cpus())) }

// cpus is a number of processors for a person.
func cpus(n float64) string {
	text := strconv.FormatFloat(n, 'f', -1, 64)
	if n == 1 {
		return text + " CPU"
	}
	return text + " CPUs"
}

// usualPeriod is the period of a new group, in microseconds.
const usualPeriod = 100_000

// leastQuota is the least that the kernel takes, in microseconds.
const leastQuota = 1000

// plan never changes the period: only the quota has to be put back.
func (c *CPULimit) plan(s spot, u *limitUndo) error {
	want := c.cpus()
	if want >= float64(runtime.NumCPU()) {
		return fmt.Errorf("%s is no limit on a machine with %s", cpus(want), cpus(float64(runtime.NumCPU())))
	}
	groups, err := chain(s.from) // also when the victims leave it: they must not get more
	if err != nil {
		return err
	}
	for _, g := range groups {
		now, _, err := quota(g)
		if errors.Is(err, os.ErrNotExist) {
			continue // version 2, and the controller is off there
		}
		if err != nil {
			return err
		}
		if now <= want {
			return fmt.Errorf("%s is limited to %s already: ask for less", g, cpus(now))
		}
	}
	period := int64(usualPeriod)
	old := "-1"
	if s.base.V2 {
		old = fmt.Sprintf("max %d", period)
	}
	if !s.alone {
		if _, period, err = quota(s.base); err == nil {
			old, err = s.base.Read(quotaFile(s.base.V2))
		}
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s has no %s: the cpu controller is not enabled for it", s.base, quotaFile(s.base.V2))
		}
		if err != nil {
			return err
		}
		if err := c.above(s.base, want); err != nil {
			return err
		}
	}
	most := int64(math.Round(want * float64(period)))
	if most < leastQuota {
		return fmt.Errorf("%s is less than the kernel can with a period of %d us: at least %s", cpus(want), period, cpus(leastQuota/float64(period)))
	}
	set := setting{File: quotaFile(s.base.V2), Old: old, New: strconv.FormatInt(most, 10)}
	if s.base.V2 {
		set.New += " " + strconv.FormatInt(period, 10)
	}
	u.Settings = []setting{set}
	return nil
}

// above refuses what version 1 refuses: a limit below one of a group inside.
func (c *CPULimit) above(g cgroup.Group, want float64) error {
	if g.V2 {
		return nil
	}
	below, err := g.Below()
	if err != nil {
		return err
	}
	for _, b := range below {
		if now, _, err := quota(b); err == nil && !math.IsInf(now, 1) && now > want {
			return fmt.Errorf("%s inside it is limited to %s, and cgroup v1 refuses less around it: limit that one", b, cpus(now))
		}
		if err := c.above(b, want); err != nil {
			return err
		}
	}
	return nil
}

func quotaFile(v2 bool) string {
	if v2 {
		return "cpu.max"
	}
	return "cpu.cfs_quota_us"
}

// quota is how many processors a group may use, infinite when it is not limited, and its period in microseconds.
func quota(g cgroup.Group) (float64, int64, error) {
	text, err := g.Read(quotaFile(g.V2))
	if err != nil {
		return 0, 0, err
	}
	if !g.V2 {
		period, err := g.Read("cpu.cfs_period_us")
		if err != nil {
			return 0, 0, err
		}
		text += " " + period
	}
	return parseQuota(text)
}

// parseQuota reads "max 100000", "-1 100000" and "20000 100000".
func parseQuota(text string) (float64, int64, error) {
	first, second, _ := strings.Cut(text, " ")
	period, err := strconv.ParseInt(second, 10, 64)
	if err != nil || period <= 0 {
		return 0, 0, fmt.Errorf("read limit of processor time: %q", text)
	}
	if first == "max" || first == "-1" {
		return math.Inf(1), period, nil
	}
	most, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read limit of processor time: %q", text)
	}
	return float64(most) / float64(period), period, nil
}

// watched is how long the group is watched, in periods, before a process of our own goes there; guestStays is for how many.
const (
	watched    = 1
	guestStays = 2
)

// confirm sees that the kernel throttles the group. When nobody in it wants more than the limit, a process of our own goes
// there for a moment and wants all: what it gets is the limit.
func (c *CPULimit) confirm(ctx context.Context, u limitUndo) (string, error) {
	limit, period, err := quota(u.Group)
	if err != nil {
		return "", err
	}
	step := time.Duration(period) * time.Microsecond
	before, err := u.Group.Stat("cpu.stat")
	if err != nil {
		return "", err
	}
	select {
	case <-time.After(watched * step):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	after, err := u.Group.Stat("cpu.stat")
	if err != nil {
		return "", err
	}
	inside, err := u.Group.Procs()
	if err != nil {
		return "", err
	}
	if n := after["nr_throttled"] - before["nr_throttled"]; n > 0 {
		return fmt.Sprintf("%s throttled in %d of %d periods of %s, limit %s", count(inside), n, after["nr_periods"]-before["nr_periods"], step, cpus(limit)), nil
	}
	threads := min(runtime.NumCPU(), int(math.Ceil(limit))+1)
	got, err := burnIn(ctx, u.Group, threads, max(guestStays*step, 100*time.Millisecond))
	switch {
	case errors.Is(err, errNoGuest):
		return fmt.Sprintf("the limit of %s is in place; %s in it did not reach it within %s, so nothing has felt it yet", cpus(limit), count(inside), step), nil
	case err != nil:
		return "", err
	}
	again, err := u.Group.Stat("cpu.stat")
	if err != nil {
		return "", err
	}
	if again["nr_throttled"] == after["nr_throttled"] {
		return "", fmt.Errorf("a process of our own in %s wanted all and was not throttled: it got %s and the limit is %s, so the machine is too busy for the limit to be felt", u.Group, cpus(round(got)), cpus(limit))
	}
	if got > limit*2+0.05 {
		return "", fmt.Errorf("a process of our own in %s wanted all and got %s, and the limit is %s", u.Group, cpus(round(got)), cpus(limit))
	}
	return fmt.Sprintf("%s did not reach the limit within %s; a process of our own beside it that wanted all was throttled: it got %s, limit %s", count(inside), step, cpus(round(got)), cpus(limit)), nil
}

func round(f float64) float64 { return math.Round(f*1000) / 1000 }
