package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// killGroup is the fault that ends all processes of a control group. It is one-shot, but where it must freeze the group
// first, it owns that.
type killGroup struct{ Victim }

// rounds is how often the processes of a group are listed and killed where they cannot be frozen first.
const rounds = 100

func (k *killGroup) Plan(context.Context, fault.Ask) (fault.Plan, error) {
	p, u, err := k.planGroup(fault.OneShot, "kill", "cgroup v2 cgroup.kill")
	if err != nil {
		return p, err
	}
	switch {
	case u.Group.atOnce():
		if err := unix.Access(u.Group.killFile(), unix.W_OK); err != nil {
			return fault.Plan{}, fmt.Errorf("%s: write %s: %w: root may, or the owner of a delegated group", u.Group.Name, u.Group.killFile(), err)
		}
	case u.Group.freezable() == nil:
		p.Mechanism = "freeze, SIGKILL to each, thaw"
		if asked, err := u.Group.asked(); err != nil || asked {
			return fault.Plan{}, errors.Join(fmt.Errorf("%s is frozen already", u.Group.Name), err)
		}
	default:
		p.Mechanism = "SIGKILL to each until none is left"
	}
	return p, nil
}

func (g Group) killFile() string { return filepath.Join(g.Dir, "cgroup.kill") }

// atOnce says that the kernel kills the whole group.
func (g Group) atOnce() bool {
	_, err := os.Stat(g.killFile())
	return g.V2 && err == nil
}

func (k *killGroup) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readGroupUndo(undo)
	if err != nil {
		return err
	}
	if err := u.Group.check(); err != nil {
		return err
	}
	found, group, err := k.find()
	if err != nil {
		return err
	}
	if group == nil || group.Inode != u.Group.Inode {
		return errGroupGone
	}
	// Who is in it now is hit, and must be seen gone.
	u.Victims = nil
	for _, i := range found {
		u.Victims = append(u.Victims, i.Process)
	}
	if u.Group.atOnce() {
		if err := u.keep(save); err != nil {
			return err
		}
		if err := os.WriteFile(u.Group.killFile(), []byte("1"), 0); err != nil {
			return fmt.Errorf("kill %s: %w", u.Group.Name, err)
		}
		return nil
	}
	return u.killEach(ctx, save)
}

// killEach freezes the group, so that nobody in it can make another process, kills each, and thaws it, so that they die.
func (u groupUndo) killEach(ctx context.Context, save fault.Save) error {
	u.Frozen = u.Group.freezable() == nil
	if err := u.keep(save); err != nil {
		return err
	}
	if u.Frozen {
		if err := u.Group.set(true); err != nil {
			return err
		}
	}
	err := u.sweep(ctx)
	if !u.Frozen {
		return err
	}
	if err := errors.Join(err, u.Group.set(false)); err != nil {
		return err
	}
	u.Frozen = false
	return u.keep(save)
}

// sweep kills each process of the group, again and again until there is none but frozen dead ones.
func (u groupUndo) sweep(ctx context.Context) error {
	for range rounds {
		if u.Frozen && lasts(ctx, func() bool { is, err := u.Group.frozen(); return err == nil && !is }) {
			return fmt.Errorf("%s does not freeze", u.Group.Name)
		}
		pids, err := u.Group.processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			i, err := proc.Look(pid)
			if err == nil {
				err = proc.Signal(i.Process, unix.SIGKILL)
			}
			if err != nil && !errors.Is(err, proc.ErrGone) {
				return err
			}
		}
		if u.Frozen {
			return nil
		}
	}
	return fmt.Errorf("%s makes new processes faster than they can be killed", u.Group.Name)
}

func (k *killGroup) Confirm(_ context.Context, undo json.RawMessage) (string, error) {
	u, err := readGroupUndo(undo)
	if err != nil {
		return "", err
	}
	for _, p := range u.Victims {
		if i, err := proc.Find(p); !errors.Is(err, proc.ErrGone) {
			return "", errors.Join(fmt.Errorf("%s is not gone", i), err)
		}
	}
	return fmt.Sprintf("all %d processes of %s are gone", len(u.Victims), u.Group.Name), nil
}

// Revert thaws a group that was frozen to be killed, when the kill was cut short.
func (k *killGroup) Revert(_ context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readGroupUndo(undo)
	if err != nil || !u.Frozen {
		return fault.Outcome{}, err
	}
	if err := u.Group.check(); errors.Is(err, errGroupGone) {
		return fault.Outcome{}, nil
	}
	err = u.Group.set(false)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return fault.Outcome{}, err
}

func (k *killGroup) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readGroupUndo(undo)
	if err != nil || !u.Frozen {
		return nil, err
	}
	return u.residue(ctx), nil
}
