package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// inside is a fault of the host that is made in the namespaces and cgroups of a container, through its first process. The
// engine is asked only for that process: the fault itself is the host's, and ends as it does there.
type inside struct {
	engine
	container string
	at        func(pid int) fault.Target

	mu   sync.Mutex
	made fault.Target
}

// insideUndo is the undo of the fault inside, and the process that it was planned for.
type insideUndo struct {
	Container string          `json:"container"`
	Name      string          `json:"name"`
	Process   proc.Process    `json:"process"`
	Undo      json.RawMessage `json:"undo"`
}

func (i *inside) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	a := i.address()
	if !a.local() {
		return fault.Plan{}, fmt.Errorf("the engine at %s is on another host: faults inside its containers are made there: run Belay on that host", a.Host)
	}
	cli, err := a.reach(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	defer cli.Close()
	c, err := find(ctx, cli, i.container)
	if err != nil {
		return fault.Plan{}, err
	}
	p, err := first(c)
	if err != nil {
		return fault.Plan{}, err
	}
	plan, err := i.at(p.PID).Plan(ctx, ask)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("container %s: %w", name(c), err)
	}
	if plan.Production == "" {
		plan.Production = production(c)
	}
	u := insideUndo{Container: c.ID, Name: name(c), Process: p.Process, Undo: plan.Undo}
	if plan.Undo, err = json.Marshal(u); err != nil {
		return fault.Plan{}, err
	}
	plan.Target = fmt.Sprintf("container %s: %s", name(c), plan.Target)
	plan.Radius = append(plan.Radius, "everything in container "+name(c)+", and in those that share its network or cgroup")
	return plan, nil
}

// first is the first process of a container. Its ID is the engine's: where the engine has other process IDs than we, it would
// be another process here, so the process has to show that it is in the container.
func first(c container.InspectResponse) (proc.Info, error) {
	unseen := fmt.Errorf("container %s: its first process %d is not to be seen from here: run this where its engine runs", name(c), c.State.Pid)
	p, err := proc.Look(c.State.Pid)
	if err != nil {
		return p, errors.Join(unseen, err)
	}
	var b [2][]byte
	for n, file := range []string{"mountinfo", "cgroup"} {
		if b[n], err = os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.PID, file)); err != nil {
			return p, errors.Join(unseen, err)
		}
	}
	if !within(string(b[0]), string(b[1]), c.ID) {
		return p, unseen
	}
	return p, nil
}

// processes claims what runs in a container, as the faults of processes do. It is nothing where our process IDs are not the
// engine's.
func processes(c container.InspectResponse) []string {
	p, err := first(c)
	if err != nil {
		return nil
	}
	pids := []int{p.PID}
	for _, controller := range []cgroup.Controller{cgroup.CPU, cgroup.Memory} {
		g, err := cgroup.Of(p.Process, controller)
		if err != nil || !strings.Contains(g.Path, c.ID) {
			continue
		}
		if all, err := g.All(); err == nil {
			pids = append(pids, all...)
			break
		}
	}
	slices.Sort(pids)
	var out []string
	for _, pid := range slices.Compact(pids) {
		out = append(out, fmt.Sprintf("process %d", pid))
	}
	return out
}

// target is the fault inside: the very one that injected, where we have it.
func (i *inside) target(b json.RawMessage) (fault.Target, insideUndo, error) {
	var u insideUndo
	if err := json.Unmarshal(b, &u); err != nil {
		return nil, u, fmt.Errorf("read undo: %w", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.made == nil {
		i.made = i.at(u.Process.PID)
	}
	return i.made, u, nil
}

// saver wraps the undo of the fault inside.
func (u insideUndo) saver(save fault.Save) fault.Save {
	return func(b json.RawMessage) error {
		u.Undo = b
		all, err := json.Marshal(u)
		if err != nil {
			return err
		}
		return save(all)
	}
}

func (i *inside) Inject(ctx context.Context, b json.RawMessage, save fault.Save) error {
	t, u, err := i.target(b)
	if err != nil {
		return err
	}
	if _, err := proc.Find(u.Process); err != nil {
		return errors.Join(err, fmt.Errorf("container %s was restarted or ended since it was planned", u.Name))
	}
	return t.Inject(ctx, u.Undo, u.saver(save))
}

func (i *inside) Confirm(ctx context.Context, b json.RawMessage) (string, error) {
	t, u, err := i.target(b)
	if err != nil {
		return "", err
	}
	seen, err := t.Confirm(ctx, u.Undo)
	return "in container " + u.Name + ": " + seen, err
}

func (i *inside) Revert(ctx context.Context, b json.RawMessage, save fault.Save) (fault.Outcome, error) {
	t, u, err := i.target(b)
	if err != nil {
		return fault.Outcome{}, err
	}
	return t.Revert(ctx, u.Undo, u.saver(save))
}

func (i *inside) Residue(ctx context.Context, b json.RawMessage) ([]string, error) {
	t, u, err := i.target(b)
	if err != nil {
		return nil, err
	}
	return t.Residue(ctx, u.Undo)
}

// Lost is that of the fault inside, if it notices by itself.
func (i *inside) Lost() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if w, ok := i.made.(fault.Watched); ok {
		return w.Lost()
	}
	return nil
}
