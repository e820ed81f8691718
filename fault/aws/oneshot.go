package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/belay-dr/belay/fault"
)

// terminate takes instances away. It is one-shot: nothing brings them back, least of all a revert.
type terminate struct {
	*site
	which *Instances
}

// goneUndo names the victims of a one-shot fault. There is nothing to undo.
type goneUndo struct {
	Instances []string `json:"instances"`
	// Asked says that we are about to ask, or have, and were not refused.
	Asked bool `json:"asked,omitempty"`
	// Accepted says that AWS has accepted the reboot.
	Accepted bool `json:"accepted,omitempty"`
	// Lost says when each watched address stopped answering.
	Lost map[string]time.Time `json:"lost,omitempty"`
}

func readGone(undo json.RawMessage) (u goneUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && len(u.Instances) == 0 {
		err = errors.New("it names no instance")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (f terminate) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.which.choose(ctx, f.site, ask.ID)
	if err != nil {
		return fault.Plan{}, err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	_, err = ec2.NewFromConfig(cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: c.ids(), DryRun: sdk.Bool(true)})
	if err := allowed("terminate instances", err); err != nil {
		return fault.Plan{}, err
	}
	p := c.plan(f.which, f.site, "terminate", fault.OneShot)
	p.Mechanism, p.Needs = "EC2 TerminateInstances", []string{"ec2:DescribeInstances", "ec2:TerminateInstances"}
	p.Undo, err = json.Marshal(goneUndo{Instances: c.ids()})
	return p, err
}

func (f terminate) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readGone(undo)
	if err != nil {
		return err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return err
	}
	u.Asked = true
	if err := saveJSON(save, u); err != nil {
		return err
	}
	// It may be asked again: who is gone cannot go twice.
	if _, err := ec2.NewFromConfig(cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: u.Instances}); err != nil {
		return explain("terminate instances", err)
	}
	return nil
}

func (f terminate) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readGone(undo)
	if err != nil {
		return "", err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return "", err
	}
	var was stopUndo
	for _, id := range u.Instances {
		was.Instances = append(was.Instances, stopped{ID: id})
	}
	c, began := ec2.NewFromConfig(cfg), time.Now()
	var now map[string]types.Instance
	err = until(ctx, func() (bool, error) {
		// What was asked for just before may not show yet.
		now, err = was.look(ctx, c)
		going := func(id string) bool {
			s := stateName(now[id])
			return s != string(types.InstanceStateNameRunning) && s != string(types.InstanceStateNamePending)
		}
		return !u.Asked || slices.ContainsFunc(u.Instances, going) || time.Since(began) > settle, err
	})
	if err != nil {
		return "", err
	}
	var seen []string
	for _, id := range u.Instances {
		i, there := now[id]
		switch s := stateName(i); {
		case !there:
			seen = append(seen, id+" is gone")
		case s == "terminated" || s == "shutting-down":
			seen = append(seen, id+" is "+s)
		default:
			return "", fmt.Errorf("%s is %s", id, s)
		}
	}
	return strings.Join(seen, "; "), nil
}

// Revert has nothing to take back.
func (terminate) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

// Residue is none: nothing was put anywhere.
func (terminate) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }

// reboot reboots instances. It is one-shot, and seen by addresses that stop answering.
type reboot struct {
	*site
	which *Instances
}

// knock is how long a watched address may take to answer.
const knock = time.Second

func answers(ctx context.Context, at string) bool {
	c, err := (&net.Dialer{Timeout: knock}).DialContext(ctx, "tcp", at)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

func (f reboot) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.which.choose(ctx, f.site, ask.ID)
	if err != nil {
		return fault.Plan{}, err
	}
	for _, at := range f.which.Watch {
		if !answers(ctx, at) {
			return fault.Plan{}, fmt.Errorf("%s does not answer: a reboot could not be seen by it", at)
		}
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	_, err = ec2.NewFromConfig(cfg).RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: c.ids(), DryRun: sdk.Bool(true)})
	if err := allowed("reboot instances", err); err != nil {
		return fault.Plan{}, err
	}
	p := c.plan(f.which, f.site, "reboot", fault.OneShot)
	p.EndsThere = true // a reboot is over by itself
	p.Mechanism, p.Needs = "EC2 RebootInstances", []string{"ec2:DescribeInstances", "ec2:RebootInstances"}
	p.Undo, err = json.Marshal(goneUndo{Instances: c.ids()})
	return p, err
}

// Inject returns when each watched address has stopped answering: the operating system takes its time to go down.
func (f reboot) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readGone(undo)
	if err != nil {
		return err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return err
	}
	u.Asked = true
	if err := saveJSON(save, u); err != nil {
		return err
	}
	_, err = ec2.NewFromConfig(cfg).RebootInstances(ctx, &ec2.RebootInstancesInput{InstanceIds: u.Instances}, func(o *ec2.Options) { o.Retryer = once(o.Retryer) })
	if err != nil && !lost(ctx, err) {
		u.Asked = ctx.Err() != nil
		return errors.Join(explain("reboot instances", err), saveJSON(save, u))
	}
	u.Accepted, u.Lost = err == nil, map[string]time.Time{}
	if err := saveJSON(save, u); err != nil {
		return err
	}
	for len(u.Lost) < len(f.which.Watch) {
		for _, at := range f.which.Watch {
			if _, lost := u.Lost[at]; !lost && !answers(ctx, at) && ctx.Err() == nil {
				u.Lost[at] = time.Now().UTC()
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(firstLook):
		}
	}
	return saveJSON(save, u)
}

// Confirm says what the injection has seen. If that was cut short, what AWS has accepted happens all the same.
func (f reboot) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readGone(undo)
	if err != nil {
		return "", err
	}
	var seen []string
	for _, at := range f.which.Watch {
		lost, ok := u.Lost[at]
		switch {
		case ok:
			seen = append(seen, at+" stopped answering at "+lost.Format(time.RFC3339))
		case !answers(ctx, at):
			seen = append(seen, at+" does not answer")
		case u.Accepted:
			seen = append(seen, "AWS accepted the reboot, and nobody waited until "+at+" stopped answering")
		case u.Asked:
			seen = append(seen, "AWS was asked for the reboot and its answer was lost: it may be on its way, although "+at+" answers")
		default:
			return "", fmt.Errorf("%s never stopped answering", at)
		}
	}
	return strings.Join(seen, "; "), nil
}

// Revert has nothing to take back.
func (reboot) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

// Residue is none: nothing was put anywhere.
func (reboot) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
