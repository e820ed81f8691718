package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/worker"
)

// The workers of this package.
const (
	burnWorker = "resource-burn"
	hogWorker  = "resource-memory"
	diskWorker = "resource-disk"
)

// errNoGuest says that no process of ours may be in the group.
var errNoGuest = errors.New("no process can be added")

// guest puts a worker of ours into a group for a moment and returns its one answer. It ends before this returns. It goes there when
// it has come up, because the group may have hardly any time for that.
func guest(ctx context.Context, g cgroup.Group, name string, config, answer any, bound time.Duration) error {
	p, err := worker.Start(name, config, nil, 10*time.Second)
	if err != nil {
		return err
	}
	defer p.Stop()
	switch err := g.Add(p.PID()); {
	// A group of version 2 with groups below it takes none, and one may be full.
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return errNoGuest
	case err != nil:
		return err
	}
	if err := p.Tell("go"); err != nil {
		return errors.Join(fmt.Errorf("the trial in %s ended early", g), p.Err())
	}
	late := time.NewTimer(bound)
	defer late.Stop()
	select {
	case line, ok := <-p.Lines():
		if !ok {
			return errors.Join(fmt.Errorf("the trial in %s ended early", g), p.Err())
		}
		return json.Unmarshal([]byte(line), answer)
	case <-late.C:
		return fmt.Errorf("the trial in %s took longer than %s", g, bound)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// burnIn returns how many processors a process gets there that wants all that these threads can use.
func burnIn(ctx context.Context, g cgroup.Group, threads int, during time.Duration) (float64, error) {
	var got float64
	err := guest(ctx, g, burnWorker, burn{CPUs: threads, Load: 1, For: during}, &got, 8*time.Second)
	return got, err
}

// diskIn returns how long a process there takes to write and read.
func diskIn(ctx context.Context, g cgroup.Group, t diskTrial) (diskResult, error) {
	var got diskResult
	err := guest(ctx, g, diskWorker, t, &got, diskBound)
	return got, err
}
