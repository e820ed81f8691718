package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// freeze is the fault that freezes a whole control group.
type freeze struct{ Victim }

// groupUndo is the undo of faults in control groups.
type groupUndo struct {
	Group   Group          `json:"group"`
	Victims []proc.Process `json:"victims"`
	// Frozen says that we have frozen it, Thawed that we have begun to thaw it.
	Frozen bool `json:"frozen,omitempty"`
	Thawed bool `json:"thawed,omitempty"`
}

func readGroupUndo(undo json.RawMessage) (u groupUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// keep saves an undo.
func (u groupUndo) keep(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// planGroup is the plan of a fault in a whole control group.
func (v Victim) planGroup(class fault.Class, verb, mechanism string) (fault.Plan, groupUndo, error) {
	found, group, err := v.find()
	if err != nil {
		return fault.Plan{}, groupUndo{}, err
	}
	u := groupUndo{Group: *group}
	p := fault.Plan{
		Target: fmt.Sprintf("%s with %d processes", group.Name, len(found)), Class: class, Fidelity: fault.Process, Mechanism: mechanism,
		Changes: []string{fmt.Sprintf("%s %s with all below it", verb, group.Name)}, Claims: []string{group.Name},
		Radius: []string{fmt.Sprintf("%d of at most %d processes, and whoever waits for them", len(found), max(1, v.Max))},
	}
	for _, i := range found {
		u.Victims = append(u.Victims, i.Process)
		p.Changes = append(p.Changes, "hit "+i.String())
		p.Claims = append(p.Claims, fmt.Sprintf("process %d", i.PID))
	}
	p.Undo, err = json.Marshal(u)
	return p, u, err
}

func (f freeze) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	p, u, err := f.planGroup(fault.Restore, "freeze", "cgroup v2 cgroup.freeze")
	if err != nil {
		return p, err
	}
	if !u.Group.V2 {
		p.Mechanism = "cgroup v1 freezer"
	}
	if err := u.Group.freezable(); err != nil {
		return fault.Plan{}, err
	}
	asked, err := u.Group.asked()
	if err != nil {
		return fault.Plan{}, err
	}
	if now, err := u.Group.frozen(); err != nil || now || asked {
		return fault.Plan{}, errors.Join(fmt.Errorf("%s is frozen already", u.Group.Name), err)
	}
	return p, nil
}

func (f freeze) Inject(_ context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readGroupUndo(undo)
	if err != nil {
		return err
	}
	if err := u.Group.check(); err != nil {
		return err
	}
	if err := f.still(u.Group); err != nil {
		return err
	}
	if err := u.Group.set(true); err != nil {
		return err
	}
	u.Frozen = true
	return u.keep(save)
}

// still refuses a group into which somebody has come since the plan who must not be hit: our own reaper for example.
func (v Victim) still(g Group) error {
	_, now, err := v.find()
	if err == nil && (now == nil || now.Inode != g.Inode) {
		err = errGroupGone
	}
	return err
}

func (f freeze) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readGroupUndo(undo)
	if err != nil {
		return "", err
	}
	if err := u.Group.check(); err != nil {
		return "", err
	}
	is, err := u.Group.frozen()
	if err != nil || !is {
		return "", errors.Join(fmt.Errorf("%s is not frozen", u.Group.Name), err)
	}
	pids, err := u.Group.populated()
	return fmt.Sprintf("the kernel says that %s is frozen, with %d processes in it", u.Group.Name, len(pids)), err
}

// Revert thaws the group if it is the same and still frozen.
func (f freeze) Revert(_ context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readGroupUndo(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	if err := u.Group.check(); errors.Is(err, errGroupGone) {
		return fault.Outcome{Superseded: []string{u.Group.Name + " was removed since it was frozen"}}, nil
	} else if err != nil {
		return fault.Outcome{}, err
	}
	asked, err := u.Group.asked()
	switch {
	case err != nil:
		return fault.Outcome{}, err
	case !asked && u.Frozen && !u.Thawed:
		return fault.Outcome{Superseded: []string{"somebody thawed " + u.Group.Name}}, nil
	case !asked:
		return fault.Outcome{}, nil
	}
	u.Thawed = true
	if err := u.keep(save); err != nil {
		return fault.Outcome{}, err
	}
	return fault.Outcome{}, u.Group.set(false)
}

func (f freeze) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readGroupUndo(undo)
	if err != nil {
		return nil, err
	}
	return u.residue(ctx), nil
}

// residue is a group that is the same and frozen by us.
func (u groupUndo) residue(ctx context.Context) []string {
	frozen := func() bool {
		if u.Group.check() != nil {
			return false
		}
		asked, err := u.Group.asked()
		return err == nil && asked
	}
	if lasts(ctx, frozen) {
		return []string{u.Group.Name + " is still frozen"}
	}
	return nil
}
