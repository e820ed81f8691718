package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/cgroup"
	"github.com/belay-dr/belay/fault/proc"
)

// limiter is what one kind of limit adds to limits.
type limiter interface {
	// where says which cgroup.
	where() Where
	controller() cgroup.Controller
	// plan says what is written; it refuses a limit that would change nothing. It may add to the undo what confirm needs.
	plan(s spot, u *limitUndo) error
	// phrase says what is limited to what: "processor time to 0.2 CPUs".
	phrase() string
	// confirm looks at the effect in the limited group.
	confirm(ctx context.Context, u limitUndo) (string, error)
}

// limits are faults that write limits to a cgroup, and put the old ones back where nobody has changed them.
type limits struct{ limiter }

// limitUndo is all that a stranger needs to take a limit back.
type limitUndo struct {
	// Group is the limited one. When the victims get one of their own it is not known before it is made.
	Group    cgroup.Group `json:"group"`
	Settings []setting    `json:"settings"`
	Alone    *alone       `json:"alone,omitempty"`
	// Dir is a directory on a disk that is slow.
	Dir string `json:"dir,omitempty"`
}

func readLimit(undo json.RawMessage) (limitUndo, error) {
	var u limitUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (l limits) Plan(_ context.Context, ask fault.Ask) (fault.Plan, error) {
	s, err := l.where().find(l.controller())
	if err != nil {
		return fault.Plan{}, err
	}
	u := limitUndo{Group: s.base}
	p := fault.Plan{Class: fault.Restore, Fidelity: fault.Host, Radius: s.radius(), Needs: []string{"the right to write to the cgroup"}}
	on := "cgroup v1"
	if s.base.V2 {
		on = "cgroup v2"
	}
	p.Mechanism = on
	if s.alone {
		u.Group = cgroup.Group{Path: s.base.Path + "/belay-" + ask.ID, Top: s.base.Top, V2: s.base.V2, Boot: s.base.Boot}
		u.Alone = &alone{Base: s.base, From: s.from, Controller: l.controller()}
		p.Changes = append(p.Changes, "make "+u.Group.String())
		for _, v := range s.victims {
			u.Alone.Victims = append(u.Alone.Victims, v.Process)
			p.Claims = append(p.Claims, fmt.Sprintf("%s of process %d", l.controller(), v.PID))
		}
		if err := u.Alone.allowed(u.Group); err != nil {
			return fault.Plan{}, err
		}
	}
	if err := l.plan(s, &u); err != nil {
		return fault.Plan{}, err
	}
	for _, set := range u.Settings {
		if !s.alone && !u.Group.Writable(set.File) {
			return fault.Plan{}, fmt.Errorf("%s cannot be written by us: run as root, or limit a cgroup that was delegated to you", set.name(u.Group))
		}
		p.Changes = append(p.Changes, fmt.Sprintf("set %s to %q (now %q)", set.name(u.Group), set.New, set.Old))
	}
	p.Claims = append(p.Claims, fmt.Sprintf("%s of %s", l.controller(), u.Group))
	p.Target = fmt.Sprintf("limit %s of %s", l.phrase(), u.Group)
	if len(s.victims) > 0 {
		p.Target = fmt.Sprintf("limit %s of %s", l.phrase(), names(s.victims))
	}
	if s.alone {
		p.Changes = append(p.Changes, fmt.Sprintf("move %s there, and back at the end", names(s.victims)))
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (l limits) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readLimit(undo)
	if err != nil {
		return err
	}
	if u.Alone != nil {
		if u.Group, err = u.Alone.Base.Make(lastName(u.Group.Path)); err != nil {
			return err
		}
		b, err := json.Marshal(u)
		if err != nil {
			return err
		}
		if err := save(b); err != nil {
			return err
		}
	}
	for n, s := range u.Settings {
		now, err := s.read(u.Group)
		switch {
		case err != nil:
			return err
		case u.Alone == nil && now != s.Old:
			return fmt.Errorf("%s was changed to %q since it was planned", s.name(u.Group), now)
		}
		if err := s.write(u.Group, s.New); err != nil {
			return errors.Join(err, l.undoFirst(u, n))
		}
	}
	if u.Alone != nil {
		return u.Alone.moveIn(u.Group)
	}
	return nil
}

// undoFirst takes the first n settings back after one that the kernel refused. The revert would do so too; this is sooner.
func (l limits) undoFirst(u limitUndo, n int) error {
	var errs []error
	for _, s := range slices.Backward(u.Settings[:n]) {
		_, err := s.back(u.Group)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (l limits) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readLimit(undo)
	if err != nil {
		return "", err
	}
	for _, s := range u.Settings {
		now, err := s.read(u.Group)
		if err != nil {
			return "", err
		}
		if now != s.New {
			return "", fmt.Errorf("%s is %q, not %q", s.name(u.Group), now, s.New)
		}
	}
	inside, err := u.Group.All()
	if err != nil {
		return "", err
	}
	if len(inside) == 0 {
		return "", fmt.Errorf("%s has no process any more", u.Group)
	}
	return l.confirm(ctx, u)
}

// Revert puts the values back, last first: the limit of memory and swap must never be below the one of memory.
func (l limits) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readLimit(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if u.Alone != nil {
		return u.Alone.moveOut(u.Group)
	}
	var out fault.Outcome
	var errs []error
	for _, s := range slices.Backward(u.Settings) {
		why, err := s.back(u.Group)
		errs = append(errs, err)
		if why != "" && !slices.Contains(out.Superseded, why) {
			out.Superseded = append(out.Superseded, why)
		}
	}
	return out, errors.Join(errs...)
}

func (l limits) Residue(_ context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readLimit(undo)
	if err != nil {
		return nil, err
	}
	if u.Alone != nil {
		return u.Alone.left(u.Group)
	}
	var out []string
	for _, s := range u.Settings {
		left, err := s.left(u.Group)
		if err != nil {
			return nil, err
		}
		out = append(out, left...)
	}
	return out, nil
}

func lastName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// count is a number of processes for a person.
func count(pids []int) string {
	if len(pids) == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", len(pids))
}

// gone says that the process is no longer there.
func gone(p proc.Process) bool {
	_, err := proc.Find(p)
	return errors.Is(err, proc.ErrGone)
}
