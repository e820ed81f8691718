package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/belay-dr/belay/fault"
)

// EC2 is a fault in instances: exactly one of stop, reboot and terminate.
type EC2 struct {
	// Stop stops instances; they are started again when the fault ends, unless somebody else did so before.
	Stop *Instances `yaml:"stop,omitempty" json:"stop,omitempty"`
	// Reboot reboots them.
	Reboot *Instances `yaml:"reboot,omitempty" json:"reboot,omitempty"`
	// Terminate takes them away. Nothing brings them back.
	Terminate *Instances `yaml:"terminate,omitempty" json:"terminate,omitempty"`
}

// Instances says which instances: one of instances and tags.
type Instances struct {
	// Instances are IDs.
	Instances []string `yaml:"instances,omitempty" json:"instances,omitempty"`
	// Tags choose the running instances that have all of these.
	Tags map[string]string `yaml:"tags,omitempty" json:"tags,omitempty"`
	// Percent of those that the tags choose are hit, rounded down but at least one; 0 means all.
	Percent int `yaml:"percent,omitempty" json:"percent,omitempty"`
	// Max is how many instances may be hit; 0 means 1. More is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// Watch are addresses (host:port) on the instances. A reboot does not show in the API: it is seen by these, which must
	// answer before and stop answering.
	Watch []string `yaml:"watch,omitempty" json:"watch,omitempty"`
	// ForGood must be said by whoever terminates.
	ForGood bool `yaml:"for_good,omitempty" json:"for_good,omitempty"`
}

func (e *EC2) check() map[string]string {
	given := map[string]*Instances{"stop": e.Stop, "reboot": e.Reboot, "terminate": e.Terminate}
	maps.DeleteFunc(given, func(_ string, i *Instances) bool { return i == nil })
	if len(given) != 1 {
		return map[string]string{"ec2": "give exactly one of stop, reboot and terminate"}
	}
	for action, i := range given {
		return below("ec2."+action, i.check(action))
	}
	return nil
}

func (i *Instances) check(action string) map[string]string {
	switch {
	case (len(i.Instances) == 0) == (len(i.Tags) == 0):
		return map[string]string{"": "give exactly one of instances and tags"}
	case i.Max < 0:
		return map[string]string{"max": "must not be negative"}
	case i.Percent < 0 || i.Percent > 100:
		return map[string]string{"percent": "must be from 1 to 100"}
	case i.Percent > 0 && len(i.Tags) == 0:
		return map[string]string{"percent": "goes with tags only"}
	case i.ForGood != (action == "terminate") && action == "terminate":
		return map[string]string{"for_good": "must be true: nothing brings a terminated instance back"}
	case i.ForGood && action != "terminate":
		return map[string]string{"for_good": "goes with terminate only"}
	case len(i.Watch) == 0 && action == "reboot":
		return map[string]string{"watch": "is missing: a reboot does not show in the API, so say which host:port stops answering"}
	case len(i.Watch) > 0 && action != "reboot":
		return map[string]string{"watch": "goes with reboot only"}
	}
	for _, id := range i.Instances {
		if !instanceID.matches(id) {
			return map[string]string{"instances": fmt.Sprintf("%q is no instance ID", id)}
		}
	}
	for _, at := range i.Watch {
		if _, port, err := net.SplitHostPort(at); err != nil || port == "" {
			return map[string]string{"watch": fmt.Sprintf("%q is no host:port", at)}
		}
	}
	return nil
}

func (e *EC2) target(s *site) fault.Target {
	switch {
	case e.Stop != nil:
		return stop{s, e.Stop}
	case e.Reboot != nil:
		return reboot{s, e.Reboot}
	}
	return terminate{s, e.Terminate}
}

// chosen are the instances that are hit, and how many there were to choose from.
type chosen struct {
	hit []types.Instance
	of  int
}

// choose finds the instances and refuses those that must not be hit.
func (i *Instances) choose(ctx context.Context, s *site, faultID string) (chosen, error) {
	cfg, err := s.reach(ctx)
	if err != nil {
		return chosen{}, err
	}
	in := &ec2.DescribeInstancesInput{InstanceIds: i.Instances}
	for _, k := range slices.Sorted(maps.Keys(i.Tags)) {
		in.Filters = append(in.Filters, types.Filter{Name: sdk.String("tag:" + k), Values: []string{i.Tags[k]}})
	}
	if len(i.Tags) > 0 {
		in.Filters = append(in.Filters, types.Filter{Name: sdk.String("instance-state-name"), Values: []string{"running"}})
	}
	all, err := describe(ctx, ec2.NewFromConfig(cfg), in)
	if err != nil {
		return chosen{}, explain("look for instances", err)
	}
	if len(all) == 0 {
		return chosen{}, fmt.Errorf("no running instance in %s has the tags %s", s.Region, words(i.Tags))
	}
	c := chosen{hit: pick(all, i.Percent, faultID), of: len(all)}
	if most := max(1, i.Max); len(c.hit) > most {
		return chosen{}, fmt.Errorf("%d instances would be hit and max is %d: raise max if all are meant, or give percent", len(c.hit), most)
	}
	own := s.self(ctx)
	for _, x := range c.hit {
		if slices.Contains(own, sdk.ToString(x.InstanceId)) {
			return chosen{}, fmt.Errorf("%s is the instance that this runs on", sdk.ToString(x.InstanceId))
		}
		if err := free(sdk.ToString(x.InstanceId), markKey(faultID), tags(x)); err != nil {
			return chosen{}, err
		}
		if x.State == nil || x.State.Name != types.InstanceStateNameRunning {
			return chosen{}, fmt.Errorf("%s is %s, not running", sdk.ToString(x.InstanceId), stateName(x))
		}
	}
	return c, nil
}

// describe reads all pages.
func describe(ctx context.Context, c *ec2.Client, in *ec2.DescribeInstancesInput) ([]types.Instance, error) {
	var out []types.Instance
	for {
		page, err := c.DescribeInstances(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			out = append(out, r.Instances...)
		}
		if sdk.ToString(page.NextToken) == "" {
			return out, nil
		}
		in.NextToken = page.NextToken
	}
}

// pick takes a part of the instances. Which ones depends on the fault's ID alone, so that a fault that is planned again
// picks the same.
func pick(all []types.Instance, percent int, faultID string) []types.Instance {
	n := len(all)
	if percent > 0 {
		n = max(1, n*percent/100)
	}
	order := func(i types.Instance) string {
		sum := sha256.Sum256([]byte(faultID + " " + sdk.ToString(i.InstanceId)))
		return string(sum[:])
	}
	all = slices.SortedFunc(slices.Values(all), func(a, b types.Instance) int { return cmp.Compare(order(a), order(b)) })[:n]
	return slices.SortedFunc(slices.Values(all), func(a, b types.Instance) int {
		return cmp.Compare(sdk.ToString(a.InstanceId), sdk.ToString(b.InstanceId))
	})
}

// ids are the IDs of what is hit.
func (c chosen) ids() []string {
	var out []string
	for _, i := range c.hit {
		out = append(out, sdk.ToString(i.InstanceId))
	}
	return out
}

// plan is what the plans of all faults in instances have in common.
func (c chosen) plan(i *Instances, s *site, verb string, class fault.Class) fault.Plan {
	p := fault.Plan{
		Class: class, Fidelity: fault.Host, Elsewhere: true,
		Target: verb + " EC2 instance " + strings.Join(c.ids(), ", ") + " in " + s.Account + " " + s.Region,
	}
	for _, x := range c.hit {
		id, name := sdk.ToString(x.InstanceId), tag(x, "Name")
		if name != "" {
			name = " (" + name + ")"
		}
		p.Claims = append(p.Claims, s.claim("instance", id))
		p.Changes = append(p.Changes, fmt.Sprintf("%s instance %s%s in %s", verb, id, name, zone(x)))
		if mark := fault.ProductionMark(tags(x)); mark != "" && p.Production == "" {
			p.Production = fmt.Sprintf("instance %s has the tag %s", id, mark)
		}
		if group := tag(x, "aws:autoscaling:groupName"); group != "" {
			p.Radius = append(p.Radius, fmt.Sprintf("%s belongs to Auto Scaling group %s, which may terminate and replace it", id, group))
		}
	}
	if len(i.Tags) > 0 {
		p.Radius = append(p.Radius, fmt.Sprintf("%d of %d running instances with %s", len(c.hit), c.of, words(i.Tags)))
	}
	return p
}

// words are tags as a person writes them.
func words(tags map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, k+"="+tags[k])
	}
	return strings.Join(out, " ")
}

func tags(i types.Instance) map[string]string {
	out := map[string]string{}
	for _, t := range i.Tags {
		out[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	return out
}

func tag(i types.Instance, key string) string { return tags(i)[key] }

func zone(i types.Instance) string {
	if i.Placement == nil {
		return "an unknown zone"
	}
	return sdk.ToString(i.Placement.AvailabilityZone)
}

func stateName(i types.Instance) string {
	if i.State == nil {
		return "in an unknown state"
	}
	return string(i.State.Name)
}

// allowed asks AWS whether it would do this, without doing it. The answer to a dry run is always an error.
func allowed(verb string, err error) error {
	if err == nil || is(err, "DryRunOperation") {
		return nil
	}
	return explain(verb+" (dry run)", err)
}
