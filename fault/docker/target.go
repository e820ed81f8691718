package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault"
)

// deed is what is done to a container, and how it is taken back.
type deed interface {
	// says is the class, the fidelity and the verb: "stop".
	says() (fault.Class, fault.Fidelity, string)
	// fits refuses a container to which it cannot be done, and adds to the victim what the undo needs.
	fits(c container.InspectResponse, v *victim) error
	// do does it.
	do(ctx context.Context, cli *client.Client, v victim) error
	// done says that the effect is there, and by what it is seen.
	done(c container.InspectResponse, found bool, v victim) (string, bool)
	// left adds what the container looks like after it was done.
	left(c container.InspectResponse, v *victim)
	// changed says what somebody else did to it since; empty when it is as it was left.
	changed(c container.InspectResponse, v victim) string
	// undo takes it back. It is only called while nothing has changed.
	undo(ctx context.Context, cli *client.Client, v victim) error
	// pending says that the engine may still be at it although nobody waits any more.
	pending(ctx context.Context, cli *client.Client, v victim) error
}

// victim is one container, by its ID and its start.
type victim struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Started string `json:"started"`
	// Asked says that the engine has been asked, and Done that it has answered well.
	Asked bool `json:"asked,omitempty"`
	Done  bool `json:"done,omitempty"`
	// Finished is when it ended, of one that was stopped.
	Finished string `json:"finished,omitempty"`
	// Network and Endpoint are what it was disconnected from.
	Network  string                    `json:"network,omitempty"`
	Endpoint *network.EndpointSettings `json:"endpoint,omitempty"`
	// Superseded is what somebody else did to it since. It is looked for once, when the fault begins to end.
	Superseded string `json:"superseded,omitempty"`
}

// undo is all about a fault.
type undo struct {
	Engine  address  `json:"engine"`
	Victims []victim `json:"victims"`
	// Reverting says that the look at what has changed meanwhile is over.
	Reverting bool `json:"reverting,omitempty"`
}

func readUndo(b json.RawMessage) (undo, error) {
	var u undo
	if err := json.Unmarshal(b, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (u undo) store(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// oneShotBound is how long the engine may take for what cannot be called back.
const oneShotBound = 2500 * time.Millisecond

// target does a deed to containers.
type target struct {
	engine
	which Containers
	deed  deed
}

func (t *target) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := undo{Engine: t.address()}
	cli, err := u.Engine.reach(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	defer cli.Close()
	found, err := t.which.find(ctx, cli, ask.ID)
	if err != nil {
		return fault.Plan{}, err
	}
	class, fidelity, verb := t.deed.says()
	p := fault.Plan{Class: class, Fidelity: fidelity, Mechanism: "Docker Engine API", Needs: []string{"the Docker Engine at " + u.Engine.Host}, Elsewhere: !u.Engine.local()}
	p.Production = production(found.those...)
	var names []string
	for _, c := range found.those {
		v := victim{ID: c.ID, Name: name(c), Started: c.State.StartedAt}
		if err := t.deed.fits(c, &v); err != nil {
			return fault.Plan{}, err
		}
		names = append(names, v.Name)
		change := fmt.Sprintf("%s container %s (%.12s)", verb, v.Name, v.ID)
		if v.Network != "" {
			change += " from network " + v.Network
		}
		p.Changes = append(p.Changes, change)
		p.Claims = append(p.Claims, "container "+v.ID)
		if u.Engine.local() {
			p.Claims = append(p.Claims, processes(c)...)
		}
		if policy := restarts(c); policy != "" && fidelity == fault.Process {
			p.Radius = append(p.Radius, fmt.Sprintf("container %s has the restart policy %s: what is ended through the engine it does not bring back, unless the engine itself is restarted", v.Name, policy))
		}
		u.Victims = append(u.Victims, v)
	}
	p.Target = fmt.Sprintf("%s container %s", verb, strings.Join(names, ", "))
	p.Radius = append([]string{fmt.Sprintf("%d of %d containers", len(names), found.of)}, p.Radius...)
	p.Undo, err = json.Marshal(u)
	return p, err
}

// restarts is the restart policy of a container that has one.
func restarts(c container.InspectResponse) string {
	if c.HostConfig == nil || c.HostConfig.RestartPolicy.Name == "no" {
		return ""
	}
	return string(c.HostConfig.RestartPolicy.Name)
}

func (t *target) Inject(ctx context.Context, b json.RawMessage, save fault.Save) error {
	u, err := readUndo(b)
	if err != nil {
		return err
	}
	cli, err := u.Engine.reach(ctx)
	if err != nil {
		return err
	}
	defer cli.Close()
	for n := range u.Victims {
		if err := t.inject(ctx, cli, &u, &u.Victims[n], save); err != nil {
			return err
		}
	}
	return nil
}

// inject does it to one container, if that is still the one of the plan.
func (t *target) inject(ctx context.Context, cli *client.Client, u *undo, v *victim, save fault.Save) error {
	c, found, err := inspect(ctx, cli, v.ID)
	if err != nil {
		return err
	}
	if !found || c.State.StartedAt != v.Started || !c.State.Running {
		return fmt.Errorf("container %s was restarted or removed since it was planned", v.Name)
	}
	v.Asked = true
	if err := u.store(save); err != nil {
		return err
	}
	class, _, verb := t.deed.says()
	if class == fault.OneShot {
		// It cannot be called back once the engine has it: whether it happened must be known before the fault ends.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), oneShotBound)
		defer cancel()
	}
	if err := t.deed.do(ctx, cli, *v); err != nil {
		return fmt.Errorf("%s container %s: %w", verb, v.Name, err)
	}
	if c, found, err = inspect(ctx, cli, v.ID); err != nil {
		return err
	}
	if found {
		t.deed.left(c, v)
	}
	v.Done = true
	return u.store(save)
}

func (t *target) Confirm(ctx context.Context, b json.RawMessage) (string, error) {
	u, err := readUndo(b)
	if err != nil {
		return "", err
	}
	cli, err := u.Engine.open()
	if err != nil {
		return "", err
	}
	defer cli.Close()
	var out []string
	for _, v := range u.Victims {
		c, found, err := inspect(ctx, cli, v.ID)
		if err != nil {
			return "", err
		}
		seen, ok := t.deed.done(c, found, v)
		if !ok {
			return "", fmt.Errorf("container %s: %s", v.Name, seen)
		}
		out = append(out, "container "+v.Name+" "+seen)
	}
	return strings.Join(out, ", "), nil
}

func (t *target) Revert(ctx context.Context, b json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readUndo(b)
	if err != nil {
		return fault.Outcome{}, err
	}
	class, _, _ := t.deed.says()
	if class == fault.OneShot && !u.pending() {
		return fault.Outcome{}, nil
	}
	cli, err := u.Engine.reach(ctx)
	if err != nil {
		return fault.Outcome{}, err
	}
	defer cli.Close()
	if class == fault.OneShot {
		// There is nothing to take back, but it may be about to happen. Whoever asks next must see it.
		return fault.Outcome{}, t.look(ctx, cli, &u)
	}
	if !u.Reverting {
		if err := t.look(ctx, cli, &u); err != nil {
			return fault.Outcome{}, err
		}
		u.Reverting = true
		// Saved before anything is taken back, so that a revert which is cut short does not take its own work for somebody else's.
		if err := u.store(save); err != nil {
			return fault.Outcome{}, err
		}
	}
	var out fault.Outcome
	var errs []error
	for _, v := range u.Victims {
		if v.Superseded != "" {
			out.Superseded = append(out.Superseded, fmt.Sprintf("container %s %s", v.Name, v.Superseded))
			continue
		}
		errs = append(errs, t.revert(ctx, cli, v))
	}
	return out, errors.Join(errs...)
}

// pending says that the engine has been asked for something and its answer is not known.
func (u undo) pending() bool {
	return slices.ContainsFunc(u.Victims, func(v victim) bool { return v.Asked && !v.Done })
}

// look looks what somebody else has done to the containers since.
func (t *target) look(ctx context.Context, cli *client.Client, u *undo) error {
	for n := range u.Victims {
		v := &u.Victims[n]
		if v.Asked && !v.Done {
			if err := t.deed.pending(ctx, cli, *v); err != nil {
				return err
			}
		}
		c, found, err := inspect(ctx, cli, v.ID)
		if err != nil {
			return err
		}
		switch {
		case !v.Asked:
		case !found:
			v.Superseded = "was removed by somebody else since"
		case v.Done:
			v.Superseded = t.deed.changed(c, *v)
		}
	}
	return nil
}

// revert takes back what is still there of one container.
func (t *target) revert(ctx context.Context, cli *client.Client, v victim) error {
	c, found, err := inspect(ctx, cli, v.ID)
	if err != nil || !found || !v.Asked || t.deed.changed(c, v) != "" {
		return err
	}
	_, _, verb := t.deed.says()
	if err := t.deed.undo(ctx, cli, v); err != nil {
		return fmt.Errorf("take back %s of container %s: %w", verb, v.Name, err)
	}
	return nil
}

// Residue lists the containers that are still as the fault left them.
func (t *target) Residue(ctx context.Context, b json.RawMessage) ([]string, error) {
	u, err := readUndo(b)
	class, _, verb := t.deed.says()
	if err != nil || class == fault.OneShot {
		return nil, err
	}
	cli, err := u.Engine.open()
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	var left []string
	for _, v := range u.Victims {
		c, found, err := inspect(ctx, cli, v.ID)
		if err != nil {
			return left, err
		}
		if found && v.Asked && v.Superseded == "" && t.deed.changed(c, v) == "" {
			left = append(left, fmt.Sprintf("container %s: %s is not taken back", v.Name, verb))
		}
	}
	return left, nil
}
