package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
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

// guest is a worker of ours in a group, for a moment.
type guest struct {
	*worker.Process
	home cgroup.Group
}

// visit starts a worker, puts it into a group when it has come up, because the group may have hardly any time for that, and lets it
// begin.
func visit(g cgroup.Group, c cgroup.Controller, name string, config any) (*guest, error) {
	me, err := proc.Self()
	if err != nil {
		return nil, err
	}
	home, err := cgroup.Of(me, c)
	if err != nil {
		return nil, err
	}
	p, err := worker.Start(name, config, nil, 10*time.Second)
	if err != nil {
		return nil, err
	}
	v := &guest{p, home}
	switch err := g.Add(p.PID()); {
	// A group of version 2 with groups below it takes none, and one may be full.
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		p.Stop()
		return nil, errNoGuest
	case err != nil:
		p.Stop()
		return nil, err
	}
	if err := p.Tell("go"); err != nil {
		v.leave()
		return nil, errors.Join(fmt.Errorf("the trial in %s ended early", g), p.Err())
	}
	return v, nil
}

// leave ends the guest. It goes home for that, where it has the time to end.
func (v *guest) leave() {
	_ = v.home.Add(v.PID())
	v.Stop()
}

// burnIn returns how many processors a process gets there that wants all that these threads can use.
func burnIn(ctx context.Context, g cgroup.Group, threads int, during time.Duration) (float64, error) {
	v, err := visit(g, cgroup.CPU, burnWorker, burn{CPUs: threads, Load: 1, Wait: true})
	if err != nil {
		return 0, err
	}
	defer v.leave()
	began, before := time.Now(), processTime(v.PID())
	select {
	case <-time.After(during):
	case <-v.Done():
		return 0, errors.Join(fmt.Errorf("the trial in %s ended early", g), v.Err())
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return (processTime(v.PID()) - before).Seconds() / time.Since(began).Seconds(), nil
}

// diskIn returns how long a process there takes to write and read.
func diskIn(ctx context.Context, g cgroup.Group, t diskTrial) (diskResult, error) {
	var got diskResult
	v, err := visit(g, cgroup.IO, diskWorker, t)
	if err != nil {
		return got, err
	}
	defer v.leave()
	late := time.NewTimer(diskBound)
	defer late.Stop()
	select {
	case line, ok := <-v.Lines():
		if !ok {
			<-v.Done()
			return got, errors.Join(fmt.Errorf("the trial in %s ended early", g), v.Err())
		}
		err := json.Unmarshal([]byte(line), &got)
		return got, err
	case <-late.C:
		return got, fmt.Errorf("the trial in %s took longer than %s", g, diskBound)
	case <-ctx.Done():
		return got, ctx.Err()
	}
}
