package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
	"github.com/belay-dr/belay/fault/worker"
)

// presser is what one kind of pressure adds to pressure.
type presser interface {
	// group is the cgroup that the pressure comes from; nil means our own.
	group() (*cgroup.Group, error)
	// plan fills the worker's name and config and says what it will do.
	plan(g *cgroup.Group, u *pressureUndo, p *fault.Plan) error
	// bound is how long the worker may take to be at work.
	bound(u pressureUndo) time.Duration
	// confirm looks at the worker.
	confirm(ctx context.Context, u pressureUndo) (string, error)
}

// pressure is a worker that uses something up. The kernel kills it when its holder dies.
type pressure struct {
	presser
	at *worker.Process
}

// pressureUndo says what is started, and who it is once it runs.
type pressureUndo struct {
	Worker string          `json:"worker"`
	Config json.RawMessage `json:"config"`
	Group  *cgroup.Group   `json:"group,omitempty"`
	// Process is the worker.
	Process *proc.Process `json:"process,omitempty"`
}

func readPressure(undo json.RawMessage) (pressureUndo, error) {
	var u pressureUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// groupFor is the group with a path, or of a process; nil when neither is given.
func groupFor(path string, whole int, c cgroup.Controller) (*cgroup.Group, error) {
	var g cgroup.Group
	var err error
	switch {
	case path != "":
		g, err = cgroup.At(path, c)
	case whole != 0:
		var i proc.Info
		if i, err = proc.Look(whole); err == nil {
			g, err = cgroup.Of(i.Process, c)
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !g.Writable("cgroup.procs") {
		return nil, fmt.Errorf("%s cannot be changed by us: run as root, or name a cgroup that was delegated to you", g)
	}
	return &g, nil
}

func (t *pressure) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	g, err := t.group()
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{Class: fault.SelfEnding, Fidelity: fault.Host, KernelEnds: true, Mechanism: "worker process"}
	u := pressureUndo{Group: g}
	if err := t.plan(g, &u, &p); err != nil {
		return fault.Plan{}, err
	}
	if g != nil {
		p.Needs = []string{"the right to write to the cgroup"}
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (t *pressure) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readPressure(undo)
	if err != nil {
		return err
	}
	t.at, err = worker.Start(u.Worker, u.Config, func(pid int) error {
		i, err := proc.Look(pid)
		if err != nil {
			return err
		}
		u.Process = &i.Process
		b, err := json.Marshal(u)
		if err != nil {
			return err
		}
		if err := save(b); err != nil || u.Group == nil {
			return err
		}
		if err := u.Group.Add(pid); err != nil {
			return fmt.Errorf("move the worker to %s: %w", u.Group, err)
		}
		return nil
	}, t.bound(u))
	return err
}

func (t *pressure) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readPressure(undo)
	if err != nil {
		return "", err
	}
	if u.Process == nil {
		return "", errors.New("the worker was never started")
	}
	if _, err := proc.Find(*u.Process); err != nil {
		return "", fmt.Errorf("the worker has ended: %w", err)
	}
	return t.confirm(ctx, u)
}

// Lost is closed when the worker is gone, for example because the kernel needed its memory.
func (t *pressure) Lost() <-chan struct{} {
	if t.at == nil {
		return nil
	}
	return t.at.Done()
}

// Revert ends the worker. Where another process has started it, its holder is dead, and it is ending by itself.
func (t *pressure) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	if t.at != nil {
		t.at.Stop()
		return fault.Outcome{}, nil
	}
	u, err := readPressure(undo)
	if err != nil || u.Process == nil {
		return fault.Outcome{}, err
	}
	if waitEnded(ctx, *u.Process, 100*time.Millisecond) {
		return fault.Outcome{}, nil
	}
	if err := proc.Signal(*u.Process, unix.SIGKILL); err != nil && !errors.Is(err, proc.ErrGone) {
		return fault.Outcome{}, err
	}
	if !waitEnded(ctx, *u.Process, 10*time.Second) {
		return fault.Outcome{}, fmt.Errorf("worker %d does not end", u.Process.PID)
	}
	return fault.Outcome{}, nil
}

// waitEnded says whether the process ended within that time.
func waitEnded(ctx context.Context, p proc.Process, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ended(p) {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// ended says that no thread of the process is left. Its first thread may be over long before the others.
func ended(p proc.Process) bool {
	i, err := proc.Look(p.PID)
	if err != nil || p.Boot != i.Boot || i.Start != p.Start {
		return errors.Is(err, proc.ErrGone) || err == nil
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
	return err != nil || i.Over() && len(threads) <= 1
}

func (t *pressure) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readPressure(undo)
	if err != nil || u.Process == nil {
		return nil, err
	}
	if ended(*u.Process) {
		return nil, nil
	}
	return []string{fmt.Sprintf("worker %d", u.Process.PID)}, nil
}

func (p *CPUPressure) target() fault.Target { return &pressure{presser: p} }

func (p *CPUPressure) group() (*cgroup.Group, error) { return groupFor(p.Cgroup, p.whole, cgroup.CPU) }

func (p *CPUPressure) bound(pressureUndo) time.Duration { return 10 * time.Second }

func (p *CPUPressure) plan(g *cgroup.Group, u *pressureUndo, out *fault.Plan) error {
	n, all := p.CPUs, runtime.NumCPU()
	if n > all {
		return fmt.Errorf("%s are not here: this machine has %d", cpus(float64(n)), all)
	}
	if n == 0 {
		n = all
	}
	b := burn{CPUs: n, Load: p.load()}
	u.Worker = burnWorker
	var err error
	if u.Config, err = json.Marshal(b); err != nil {
		return err
	}
	out.Target = fmt.Sprintf("use %.0f%% of %d of %s", b.Load*100, n, cpus(float64(all)))
	out.Changes = []string{fmt.Sprintf("start a worker that uses %.0f%% of a processor with each of its threads (%d)", b.Load*100, n)}
	out.Radius = []string{fmt.Sprintf("every process on this machine: up to %.2f of its %s are used up", b.Load*float64(n), cpus(float64(all)))}
	if g != nil {
		out.Radius = []string{fmt.Sprintf("every process in %s, and as far as it is not limited every process on this machine", g)}
		out.Changes = append(out.Changes, "move the worker to "+g.String())
	}
	out.Claims = []string{"processor time of this machine"}
	if g != nil {
		out.Claims = []string{"processor time in " + g.String()}
	}
	return nil
}

// confirm measures what the worker gets.
func (p *CPUPressure) confirm(ctx context.Context, u pressureUndo) (string, error) {
	var b burn
	if err := json.Unmarshal(u.Config, &b); err != nil {
		return "", fmt.Errorf("read undo: %w", err)
	}
	began, before := time.Now(), processTime(u.Process.PID)
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	got := (processTime(u.Process.PID) - before).Seconds() / time.Since(began).Seconds()
	asked := b.Load * float64(b.CPUs)
	// On a busy machine it gets its share and no more. Then everybody feels it all the same.
	if got < asked/10 {
		return "", fmt.Errorf("the worker gets %s of %s", cpus(round(got)), cpus(round(asked)))
	}
	return fmt.Sprintf("the worker uses %s, asked %s", cpus(round(got)), cpus(round(asked))), nil
}

func (p *MemoryPressure) target() fault.Target { return &pressure{presser: p} }

func (p *MemoryPressure) group() (*cgroup.Group, error) {
	return groupFor(p.Cgroup, p.whole, cgroup.Memory)
}

// bound allows for 50 MB a second.
func (p *MemoryPressure) bound(u pressureUndo) time.Duration {
	var h hog
	_ = json.Unmarshal(u.Config, &h)
	return 10*time.Second + time.Duration(h.Bytes/50e6)*time.Second
}

// leastReserve is what must stay available of the machine's memory unless less is said.
const leastReserve = 256 << 20

// reserve is what must stay available out of all. In a cgroup that is much smaller than the machine a tenth is enough.
func (p *MemoryPressure) reserve(r room, machine bool) int64 {
	if p.Reserve != "" {
		n, _ := p.Reserve.Bytes()
		return n
	}
	if machine {
		return max(r.all/10, leastReserve)
	}
	return r.all / 10
}

func (p *MemoryPressure) plan(g *cgroup.Group, u *pressureUndo, out *fault.Plan) error {
	r, err := roomIn(g)
	if err != nil {
		return err
	}
	all, available, err := machineMemory()
	if err != nil {
		return err
	}
	want, err := p.want(r)
	if err != nil {
		return err
	}
	machine := p.reserve(room{all: all}, true)
	if reserve := p.reserve(r, r.of == "this machine"); r.available-want < reserve {
		return fmt.Errorf("%s would leave %s of the %s that %s has, and %s must stay available: ask for less, or say a smaller reserve",
			Size(want), Size(max(0, r.available-want)), Size(r.all), r.of, Size(reserve))
	}
	if available-want < machine {
		return fmt.Errorf("%s would leave %s of the %s that this machine has, and %s must stay available: ask for less, or say a smaller reserve",
			Size(want), Size(max(0, available-want)), Size(all), Size(machine))
	}
	u.Worker = hogWorker
	if u.Config, err = json.Marshal(hog{Bytes: want, Reserve: machine / 2}); err != nil {
		return err
	}
	out.Target = fmt.Sprintf("use %s of the %s of memory that %s has left", Size(want), Size(r.available), r.of)
	out.Changes = []string{"start a worker that takes " + Size(want)}
	out.Radius = []string{fmt.Sprintf("every process on this machine: %s of %s stay available", Size(available-want), Size(all))}
	out.Claims = []string{"memory of this machine"}
	if g != nil {
		out.Radius = []string{fmt.Sprintf("every process in %s: %s stay available there", g, Size(r.available-want))}
		out.Changes = append(out.Changes, "move the worker to "+g.String())
		out.Claims = []string{"memory in " + g.String()}
	}
	return nil
}

// want is how much the worker takes.
func (p *MemoryPressure) want(r room) (int64, error) {
	if p.Share == "" {
		return p.Bytes.Bytes()
	}
	share, err := p.Share.Share()
	return int64(share*float64(r.available)) &^ (1<<20 - 1), err
}

// confirm reads what the kernel says that the worker has.
func (p *MemoryPressure) confirm(_ context.Context, u pressureUndo) (string, error) {
	var h hog
	if err := json.Unmarshal(u.Config, &h); err != nil {
		return "", fmt.Errorf("read undo: %w", err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", u.Process.PID))
	if err != nil {
		return "", fmt.Errorf("look at the worker: %w", err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kb, err := strconv.ParseInt(number, 10, 43)
	if err != nil {
		return "", fmt.Errorf("look at the worker: %q is not its size", short(number))
	}
	has := kb << 10
	if has < h.Bytes*9/10 {
		return "", fmt.Errorf("the worker has %s of %s in memory", Size(has), Size(h.Bytes))
	}
	_, available, err := machineMemory()
	return fmt.Sprintf("the worker has %s in memory, asked %s; %s are available on the machine now", Size(has), Size(h.Bytes), Size(available)), err
}
