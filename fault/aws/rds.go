package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/belay-dr/belay/fault"
)

// RDS is a fault in a database.
type RDS struct {
	Reboot *Reboot `yaml:"reboot,omitempty" json:"reboot,omitempty"`
}

// Reboot says which database: one of instance and cluster.
type Reboot struct {
	Instance string `yaml:"instance,omitempty" json:"instance,omitempty"`
	// Cluster is failed over: another member becomes its writer.
	Cluster string `yaml:"cluster,omitempty" json:"cluster,omitempty"`
	// Failover moves a Multi-AZ instance to its other zone. A cluster always fails over.
	Failover bool `yaml:"failover,omitempty" json:"failover,omitempty"`
}

const databaseID pattern = `^[a-zA-Z][a-zA-Z0-9-]{0,62}$`

func (r *RDS) check() map[string]string {
	switch {
	case r.Reboot == nil:
		return map[string]string{"rds": "give reboot"}
	case (r.Reboot.Instance == "") == (r.Reboot.Cluster == ""):
		return map[string]string{"rds.reboot": "give exactly one of instance and cluster"}
	case r.Reboot.Cluster != "" && r.Reboot.Failover:
		return map[string]string{"rds.reboot.failover": "goes with instance: a cluster always fails over"}
	case !databaseID.matches(r.Reboot.Instance + r.Reboot.Cluster):
		return map[string]string{"rds.reboot": fmt.Sprintf("%q is no identifier of a database", r.Reboot.Instance+r.Reboot.Cluster)}
	}
	return nil
}

func (r *RDS) target(s *site) fault.Target { return database{s, r.Reboot} }

// database reboots an instance or fails a cluster over. It is one-shot: the database comes back by itself, and where its
// primary is afterwards is for the procedure to say.
type database struct {
	*site
	which *Reboot
}

type databaseUndo struct {
	Mark      string `json:"mark"`
	MarkValue string `json:"mark_value"`
	ARN       string `json:"arn"`
	// Was is where the primary was: the zone of an instance, the writer of a cluster.
	Was string `json:"was"`
	// Asked says that we are about to ask for the reboot, or have.
	Asked bool `json:"asked,omitempty"`
	// Seen is what was seen of the effect.
	Seen string `json:"seen,omitempty"`
}

// seen is a database as it is.
type seen struct {
	arn, status, primary string
	multi                bool
	members              int
	tags                 map[string]string
}

func tagsOf(list []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range list {
		out[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	return out
}

func (f database) name() string {
	if f.which.Cluster != "" {
		return "RDS cluster " + f.which.Cluster
	}
	return "RDS instance " + f.which.Instance
}

func (f database) client(ctx context.Context) (*rds.Client, error) {
	cfg, err := f.reach(ctx)
	if err != nil {
		return nil, err
	}
	return rds.NewFromConfig(cfg), nil
}

func (f database) look(ctx context.Context, c *rds.Client) (seen, error) {
	if f.which.Cluster == "" {
		got, err := c.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &f.which.Instance})
		if err != nil {
			return seen{}, explain("look at "+f.name(), err)
		}
		if len(got.DBInstances) != 1 {
			return seen{}, fmt.Errorf("look at %s: AWS answered with %d", f.name(), len(got.DBInstances))
		}
		d := got.DBInstances[0]
		return seen{
			arn: sdk.ToString(d.DBInstanceArn), status: sdk.ToString(d.DBInstanceStatus), primary: sdk.ToString(d.AvailabilityZone),
			multi: sdk.ToBool(d.MultiAZ), tags: tagsOf(d.TagList),
		}, nil
	}
	got, err := c.DescribeDBClusters(ctx, &rds.DescribeDBClustersInput{DBClusterIdentifier: &f.which.Cluster})
	if err != nil {
		return seen{}, explain("look at "+f.name(), err)
	}
	if len(got.DBClusters) != 1 {
		return seen{}, fmt.Errorf("look at %s: AWS answered with %d", f.name(), len(got.DBClusters))
	}
	d := got.DBClusters[0]
	s := seen{arn: sdk.ToString(d.DBClusterArn), status: sdk.ToString(d.Status), members: len(d.DBClusterMembers), tags: tagsOf(d.TagList)}
	for _, m := range d.DBClusterMembers {
		if sdk.ToBool(m.IsClusterWriter) {
			s.primary = sdk.ToString(m.DBInstanceIdentifier)
		}
	}
	return s, nil
}

func (f database) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := f.client(ctx)
	if err != nil {
		return fault.Plan{}, err
	}
	now, err := f.look(ctx, c)
	switch {
	case err != nil:
		return fault.Plan{}, err
	case now.status != "available":
		return fault.Plan{}, fmt.Errorf("%s is %s, not available", f.name(), now.status)
	case f.which.Failover && !now.multi:
		return fault.Plan{}, fmt.Errorf("%s is not Multi-AZ: it has nowhere to fail over to", f.name())
	case f.which.Cluster != "" && now.members < 2:
		return fault.Plan{}, fmt.Errorf("%s has %d members: it has nowhere to fail over to", f.name(), now.members)
	}
	if err := free(f.name(), markKey(ask.ID), now.tags); err != nil {
		return fault.Plan{}, err
	}
	u := databaseUndo{Mark: markKey(ask.ID), MarkValue: mark(ask, time.Now(), "undo=none was="+now.primary), ARN: now.arn, Was: now.primary}
	p := fault.Plan{
		Class: fault.OneShot, Fidelity: fault.Process, Elsewhere: true, EndsThere: true, Mechanism: "RDS RebootDBInstance",
		Target:  f.name() + " in " + f.Account + " " + f.Region,
		Changes: []string{"reboot " + f.name(), "tag it " + u.Mark + " for as long"},
		Claims:  []string{f.claim("database", f.which.Instance+f.which.Cluster)},
		Needs:   []string{"rds:DescribeDBInstances", "rds:RebootDBInstance", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"},
		Radius:  []string{"every connection to " + f.name()},
	}
	if mark := fault.ProductionMark(now.tags); mark != "" {
		p.Production = f.name() + " has the tag " + mark
	}
	switch {
	case f.which.Failover:
		p.Fidelity = fault.Zone
		p.Changes[0] = fmt.Sprintf("reboot %s with failover out of zone %s", f.name(), now.primary)
	case f.which.Cluster != "":
		p.Fidelity, p.Mechanism = fault.Zone, "RDS FailoverDBCluster"
		p.Needs = []string{"rds:DescribeDBClusters", "rds:FailoverDBCluster", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"}
		p.Changes[0] = fmt.Sprintf("fail %s over from its writer %s to one of %d others", f.name(), now.primary, now.members-1)
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func readDatabase(undo json.RawMessage) (u databaseUndo, err error) {
	if err = json.Unmarshal(undo, &u); err == nil && u.ARN == "" {
		err = errors.New("it names no database")
	}
	if err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// effect says what can be seen of a reboot or failover; empty when nothing can.
func (f database) effect(now seen, was string) string {
	switch {
	case f.which.Cluster != "" && now.primary != was && now.primary != "":
		return fmt.Sprintf("%s has the writer %s instead of %s", f.name(), now.primary, was)
	case f.which.Failover && now.primary != was && now.primary != "":
		return fmt.Sprintf("%s is in zone %s instead of %s", f.name(), now.primary, was)
	case f.which.Cluster == "" && !f.which.Failover && now.status != "available":
		return f.name() + " is " + now.status
	}
	return ""
}

func (f database) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readDatabase(undo)
	if err != nil {
		return err
	}
	c, err := f.client(ctx)
	if err != nil {
		return err
	}
	if now, err := f.look(ctx, c); err != nil || now.arn != u.ARN || now.primary != u.Was {
		return errors.Join(err, fmt.Errorf("%s was changed since it was planned", f.name()))
	}
	if _, err := c.AddTagsToResource(ctx, &rds.AddTagsToResourceInput{ResourceName: &u.ARN, Tags: []types.Tag{{Key: &u.Mark, Value: &u.MarkValue}}}); err != nil {
		return explain("tag "+f.name(), err)
	}
	u.Asked = true
	if err := saveJSON(save, u); err != nil {
		return err
	}
	if err := f.ask(ctx, c); err != nil && !lost(ctx, err) {
		u.Asked = ctx.Err() != nil
		return errors.Join(explain("reboot "+f.name(), err), saveJSON(save, u))
	}
	// A failover takes a minute or two. It is part of the injection, so that the fault's own limit bounds it.
	err = until(ctx, func() (bool, error) {
		now, err := f.look(ctx, c)
		u.Seen = f.effect(now, u.Was)
		return u.Seen != "", err
	})
	if err != nil {
		return err
	}
	return saveJSON(save, u)
}

// ask asks for the reboot once: asked twice, a cluster would fail over and back.
func (f database) ask(ctx context.Context, c *rds.Client) error {
	once := func(o *rds.Options) { o.Retryer = once(o.Retryer) }
	if f.which.Cluster != "" {
		_, err := c.FailoverDBCluster(ctx, &rds.FailoverDBClusterInput{DBClusterIdentifier: &f.which.Cluster}, once)
		return err
	}
	_, err := c.RebootDBInstance(ctx, &rds.RebootDBInstanceInput{DBInstanceIdentifier: &f.which.Instance, ForceFailover: &f.which.Failover}, once)
	return err
}

// Confirm says what the injection has seen. If that was cut short, it looks whether anything has begun, and waits a moment
// for what may not show yet.
func (f database) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readDatabase(undo)
	if err != nil || u.Seen != "" {
		return u.Seen, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return "", err
	}
	began := time.Now()
	err = until(ctx, func() (bool, error) {
		now, err := f.look(ctx, c)
		if u.Seen = f.effect(now, u.Was); u.Seen == "" && err == nil && now.status != "available" {
			u.Seen = f.name() + " is " + now.status
		}
		return u.Seen != "" || !u.Asked || time.Since(began) > settle, err
	})
	if err != nil || u.Seen != "" {
		return u.Seen, err
	}
	return "", fmt.Errorf("nothing was seen of a reboot of %s", f.name())
}

// Revert takes the tag off. There is nothing else to take back.
func (f database) Revert(ctx context.Context, undo json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, there, c, err := f.marked(ctx, undo)
	if err != nil || !there {
		return fault.Outcome{}, err
	}
	if _, err := c.RemoveTagsFromResource(ctx, &rds.RemoveTagsFromResourceInput{ResourceName: &u.ARN, TagKeys: []string{u.Mark}}); err != nil {
		return fault.Outcome{}, explain("untag "+f.name(), err)
	}
	return fault.Outcome{}, nil
}

// marked says whether the database has our tag. One that is gone has none.
func (f database) marked(ctx context.Context, undo json.RawMessage) (databaseUndo, bool, *rds.Client, error) {
	u, err := readDatabase(undo)
	if err != nil {
		return u, false, nil, err
	}
	c, err := f.client(ctx)
	if err != nil {
		return u, false, nil, err
	}
	now, err := f.look(ctx, c)
	if is(err, "DBInstanceNotFound", "DBClusterNotFoundFault") {
		return u, false, c, nil
	}
	_, ours := now.tags[u.Mark]
	return u, ours, c, err
}

func (f database) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, there, _, err := f.marked(ctx, undo)
	if !there {
		return nil, err
	}
	return []string{f.name() + " has the tag " + u.Mark}, err
}
