package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/belay-dr/belay/fault"
)

// stop stops instances, and starts those again that nobody touched since.
type stop struct {
	*site
	which *Instances
}

// stopUndo is the undo of stop. The fingerprint of an instance that we stopped: it was launched when it was before, and the
// reason of its last transition is the one that was read after ours.
type stopUndo struct {
	Mark      string    `json:"mark"`
	MarkValue string    `json:"mark_value"`
	Instances []stopped `json:"instances"`
}

type stopped struct {
	ID       string    `json:"id"`
	Launched time.Time `json:"launched"`
	Reason   string    `json:"reason,omitempty"`
	// Started says that we are about to start it again, or have.
	Started bool `json:"started,omitempty"`
}

func (f stop) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.which.choose(ctx, f.site, ask.ID)
	if err != nil {
		return fault.Plan{}, err
	}
	u := stopUndo{Mark: markKey(ask.ID)}
	launched := "launched="
	for _, i := range c.hit {
		if i.RootDeviceType != types.DeviceTypeEbs {
			return fault.Plan{}, fmt.Errorf("%s has no EBS root, so that it cannot be stopped, only terminated", sdk.ToString(i.InstanceId))
		}
		if i.InstanceLifecycle == types.InstanceLifecycleTypeSpot {
			return fault.Plan{}, fmt.Errorf("%s is a Spot instance, which may not come back after a stop", sdk.ToString(i.InstanceId))
		}
		u.Instances = append(u.Instances, stopped{ID: sdk.ToString(i.InstanceId), Launched: sdk.ToTime(i.LaunchTime)})
		launched += " " + sdk.ToTime(i.LaunchTime).UTC().Format(time.RFC3339)
	}
	if err := f.rehearse(ctx, c.ids(), u.Mark); err != nil {
		return fault.Plan{}, err
	}
	u.MarkValue = mark(ask, time.Now(), "undo=start", launched)
	p := c.plan(f.which, f.site, "stop", fault.Restore)
	p.Mechanism = "EC2 StopInstances"
	p.Needs = []string{"ec2:DescribeInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:CreateTags", "ec2:DeleteTags"}
	p.Changes = append(p.Changes, "tag them "+u.Mark+" for as long")
	p.Undo, err = json.Marshal(u)
	return p, err
}

// rehearse asks AWS whether all that the fault and its end need is allowed.
func (f stop) rehearse(ctx context.Context, ids []string, key string) error {
	cfg, err := f.reach(ctx)
	if err != nil {
		return err
	}
	c, dry := ec2.NewFromConfig(cfg), sdk.Bool(true)
	tags := []types.Tag{{Key: &key, Value: sdk.String("")}}
	if _, err = c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: ids, Tags: tags, DryRun: dry}); allowed("tag", err) != nil {
		return allowed("tag instances", err)
	}
	if _, err = c.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: ids, Tags: tags, DryRun: dry}); allowed("untag", err) != nil {
		return allowed("untag instances", err)
	}
	if _, err = c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: ids, DryRun: dry}); allowed("stop", err) != nil {
		return allowed("stop instances", err)
	}
	_, err = c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: ids, DryRun: dry})
	return allowed("start instances again", err)
}

func readStop(undo json.RawMessage) (u stopUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && len(u.Instances) == 0 {
		err = errors.New("it names no instance")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (u stopUndo) ids() []string {
	var out []string
	for _, i := range u.Instances {
		out = append(out, i.ID)
	}
	return out
}

func (u stopUndo) saveWith(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// look returns what is known of the instances of the undo; those that AWS has forgotten are not in it. It asks by filter,
// because asking by ID is refused as a whole when one ID is not known any more.
func (u stopUndo) look(ctx context.Context, c *ec2.Client) (map[string]types.Instance, error) {
	all, err := describe(ctx, c, &ec2.DescribeInstancesInput{Filters: []types.Filter{{Name: sdk.String("instance-id"), Values: u.ids()}}})
	if err != nil {
		return nil, explain("look at instances", err)
	}
	out := map[string]types.Instance{}
	for _, i := range all {
		out[sdk.ToString(i.InstanceId)] = i
	}
	return out, nil
}

func (f stop) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readStop(undo)
	if err != nil {
		return err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return err
	}
	c := ec2.NewFromConfig(cfg)
	now, err := u.look(ctx, c)
	if err != nil {
		return err
	}
	for _, was := range u.Instances {
		if i := now[was.ID]; stateName(i) != "running" || !sdk.ToTime(i.LaunchTime).Equal(was.Launched) {
			return fmt.Errorf("%s was stopped or started since it was planned", was.ID)
		}
	}
	if _, err := c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: u.ids(), Tags: []types.Tag{{Key: &u.Mark, Value: &u.MarkValue}}}); err != nil {
		return explain("tag instances", err)
	}
	if _, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: u.ids()}); err != nil {
		return explain("stop instances", err)
	}
	// Stopping takes from seconds to minutes. It is part of the injection, so that the fault's own limit bounds it.
	err = until(ctx, func() (bool, error) {
		if now, err = u.look(ctx, c); err != nil {
			return false, err
		}
		for n, was := range u.Instances {
			if stateName(now[was.ID]) != "stopped" {
				return false, nil
			}
			u.Instances[n].Reason = sdk.ToString(now[was.ID].StateTransitionReason)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return u.saveWith(save)
}

func (f stop) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readStop(undo)
	if err != nil {
		return "", err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return "", err
	}
	now, err := u.look(ctx, ec2.NewFromConfig(cfg))
	if err != nil {
		return "", err
	}
	var seen []string
	for _, was := range u.Instances {
		if s := stateName(now[was.ID]); s != "stopped" {
			return "", fmt.Errorf("%s is %s, not stopped", was.ID, s)
		}
		seen = append(seen, was.ID+" is stopped: "+sdk.ToString(now[was.ID].StateTransitionReason))
	}
	return strings.Join(seen, "; "), nil
}

// settle is how long a revert waits for a stop that an injection which was cut short may have asked for just before.
const settle = 2 * time.Second

// inFlight says that an injection which was cut short may have asked for a stop that does not show yet.
func (u stopUndo) inFlight(now map[string]types.Instance) bool {
	return slices.ContainsFunc(u.Instances, func(was stopped) bool {
		i := now[was.ID]
		return was.Reason == "" && !was.Started && stateName(i) == "running" && sdk.ToTime(i.LaunchTime).Equal(was.Launched) && tag(i, u.Mark) != ""
	})
}

// judge says what is to be done about one instance: it is to be started, or waited for, or left alone because of a reason.
func (was stopped) judge(i types.Instance, there bool) (start, wait bool, superseded string) {
	state, same := stateName(i), sdk.ToTime(i.LaunchTime).Equal(was.Launched)
	switch {
	case !there || state == "terminated" || state == "shutting-down":
		return false, false, was.ID + " was terminated by somebody else since"
	case state == "running":
		if !same && !was.Started {
			return false, false, was.ID + " was started again by somebody else since"
		}
		return false, false, ""
	case state == "pending":
		if !same && !was.Started {
			return false, false, was.ID + " was started again by somebody else since"
		}
		return false, true, ""
	case !same || was.Reason != "" && state == "stopped" && sdk.ToString(i.StateTransitionReason) != was.Reason:
		return false, false, was.ID + " was stopped again by somebody else since"
	}
	return state == "stopped", true, "" // stopping, or stopped
}

// Revert starts again what is still stopped by us. It returns when all of it runs; until then it is not reverted, and the
// next attempt, or the next sweep, goes on waiting.
func (f stop) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readStop(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return fault.Outcome{}, err
	}
	c := ec2.NewFromConfig(cfg)
	var out fault.Outcome
	waiting := ""
	began := time.Now()
	err = until(ctx, func() (bool, error) {
		now, err := u.look(ctx, c)
		if err != nil {
			return false, err
		}
		if u.inFlight(now) && time.Since(began) < settle {
			return false, nil
		}
		out, waiting = fault.Outcome{}, ""
		var start []string
		for n, was := range u.Instances {
			i, there := now[was.ID]
			again, wait, superseded := was.judge(i, there)
			switch {
			case superseded != "":
				out.Superseded = append(out.Superseded, superseded)
			case again:
				start, u.Instances[n].Started = append(start, was.ID), true
			}
			if wait {
				waiting = was.ID + " is " + stateName(i)
			}
		}
		if len(start) > 0 {
			if err := u.saveWith(save); err != nil {
				return false, err
			}
			if _, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: start}); err != nil {
				return false, explain("start instances", err)
			}
		}
		return waiting == "", nil
	})
	if err != nil && waiting != "" && ctx.Err() != nil {
		return out, fmt.Errorf("%s, and was asked to run: %w", waiting, err)
	}
	if err != nil {
		return out, err
	}
	return out, u.unmark(ctx, c)
}

// unmark takes the tags off. An instance that AWS has forgotten has none.
func (u stopUndo) unmark(ctx context.Context, c *ec2.Client) error {
	now, err := u.look(ctx, c)
	if err != nil {
		return err
	}
	var there []string
	for id, i := range now {
		if slices.ContainsFunc(i.Tags, func(t types.Tag) bool { return sdk.ToString(t.Key) == u.Mark }) {
			there = append(there, id)
		}
	}
	if len(there) == 0 {
		return nil
	}
	_, err = c.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: there, Tags: []types.Tag{{Key: &u.Mark}}})
	if err != nil {
		return explain("untag instances", err)
	}
	return nil
}

func (f stop) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readStop(undo)
	if err != nil {
		return nil, err
	}
	cfg, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	now, err := u.look(ctx, ec2.NewFromConfig(cfg))
	if err != nil {
		return nil, err
	}
	var left []string
	for _, was := range u.Instances {
		i, there := now[was.ID]
		start, wait, _ := was.judge(i, there)
		switch {
		case start:
			left = append(left, was.ID+" is stopped")
		case wait && stateName(i) == "pending":
			left = append(left, was.ID+" is starting")
		case wait:
			left = append(left, was.ID+" is stopping")
		}
		if tag(i, u.Mark) != "" {
			left = append(left, was.ID+" has the tag "+u.Mark)
		}
	}
	return left, nil
}
