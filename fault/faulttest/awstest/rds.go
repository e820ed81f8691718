package awstest

import (
	"sync"
	"time"
)

// RDS are the simulated databases.
type RDS struct {
	mu        sync.Mutex
	instances map[string]*database
	clusters  map[string]*cluster
	took      time.Duration
}

type database struct {
	id, zone, other string
	multi           bool
	back            time.Time
	failing         bool
	boots           int
	tags            map[string]string
}

type cluster struct {
	id      string
	members []string
	next    time.Time
	tags    map[string]string
}

func newRDS() *RDS {
	return &RDS{instances: map[string]*database{}, clusters: map[string]*cluster{}, took: 150 * time.Millisecond}
}

// Instance adds an available instance, in two zones if it is Multi-AZ.
func (r *RDS) Instance(id string, multi bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instances[id] = &database{id: id, zone: Region + "a", other: Region + "b", multi: multi, tags: map[string]string{}}
}

// Cluster adds a cluster, whose first member is the writer.
func (r *RDS) Cluster(id string, members ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clusters[id] = &cluster{id: id, members: members, tags: map[string]string{}}
}

// Zone is where an instance is.
func (r *RDS) Zone(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.instances[id].now().zone
}

// Boots is how often an instance was rebooted.
func (r *RDS) Boots(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.instances[id]; d != nil {
		return d.boots
	}
	return 0
}

// Writer is the writer of a cluster.
func (r *RDS) Writer(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clusters[id].now().members[0]
}

// Tag tags an instance or a cluster.
func (r *RDS) Tag(id, key, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.instances[id]; d != nil {
		d.tags[key] = value
	}
	if c := r.clusters[id]; c != nil {
		c.tags[key] = value
	}
}

// Delete takes an instance away.
func (r *RDS) Delete(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.instances, id)
}

func (d *database) now() *database {
	if d.failing && time.Now().After(d.back) {
		d.failing, d.zone, d.other = false, d.other, d.zone
	}
	return d
}

func (d *database) status() string {
	if time.Now().Before(d.back) {
		return "rebooting"
	}
	return "available"
}

func (c *cluster) now() *cluster {
	if !c.next.IsZero() && time.Now().After(c.next) {
		c.next, c.members = time.Time{}, append(c.members[1:], c.members[0])
	}
	return c
}

func arn(kind, id string) string {
	return "arn:aws:rds:" + Region + ":" + Account + ":" + kind + ":" + id
}

func tagList(tags map[string]string) []any {
	out := []any{}
	for _, k := range sortedKeys(anyOf(tags)) {
		out = append(out, map[string]any{"Key": k, "Value": tags[k]})
	}
	return out
}

func (r *RDS) handlers() map[string]handler {
	locked := func(h handler) handler {
		return func(in map[string]any) (map[string]any, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return h(in)
		}
	}
	return map[string]handler{
		"DescribeDBInstances": locked(r.describe), "DescribeDBClusters": locked(r.describeClusters), "RebootDBInstance": locked(r.reboot),
		"FailoverDBCluster": locked(r.failover), "AddTagsToResource": locked(r.tag), "RemoveTagsFromResource": locked(r.untag),
	}
}

func (r *RDS) instance(in map[string]any) (*database, error) {
	id, _ := in["DBInstanceIdentifier"].(string)
	d := r.instances[id]
	if d == nil {
		return nil, fail("DBInstanceNotFoundFault", "DBInstance %s not found.", id)
	}
	return d.now(), nil
}

func (d *database) describe() map[string]any {
	return map[string]any{
		"DBInstanceIdentifier": d.id, "DBInstanceStatus": d.status(), "AvailabilityZone": d.zone, "MultiAZ": d.multi,
		"DBInstanceArn": arn("db", d.id), "TagList": tagList(d.tags), "Engine": "postgres",
	}
}

func (r *RDS) describe(in map[string]any) (map[string]any, error) {
	d, err := r.instance(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"DBInstances": []any{d.describe()}}, nil
}

func (r *RDS) reboot(in map[string]any) (map[string]any, error) {
	d, err := r.instance(in)
	if err != nil {
		return nil, err
	}
	force, _ := in["ForceFailover"].(bool)
	if d.status() != "available" || force && !d.multi {
		return nil, fail("InvalidDBInstanceStateFault", "Instance %s cannot be rebooted now.", d.id)
	}
	d.boots++
	d.back, d.failing = time.Now().Add(r.took), force
	return map[string]any{"DBInstance": d.describe()}, nil
}

func (c *cluster) describe() map[string]any {
	members := []any{}
	for n, id := range c.members {
		members = append(members, map[string]any{"DBInstanceIdentifier": id, "IsClusterWriter": n == 0})
	}
	status := "available"
	if !c.next.IsZero() {
		status = "failing-over"
	}
	return map[string]any{
		"DBClusterIdentifier": c.id, "DBClusterArn": arn("cluster", c.id), "Status": status, "DBClusterMembers": members, "TagList": tagList(c.tags),
	}
}

func (r *RDS) cluster(in map[string]any) (*cluster, error) {
	id, _ := in["DBClusterIdentifier"].(string)
	c := r.clusters[id]
	if c == nil {
		return nil, fail("DBClusterNotFoundFault", "DBCluster %s not found.", id)
	}
	return c.now(), nil
}

func (r *RDS) describeClusters(in map[string]any) (map[string]any, error) {
	c, err := r.cluster(in)
	if err != nil {
		return nil, err
	}
	return map[string]any{"DBClusters": []any{c.describe()}}, nil
}

func (r *RDS) failover(in map[string]any) (map[string]any, error) {
	c, err := r.cluster(in)
	if err != nil {
		return nil, err
	}
	c.next = time.Now().Add(r.took)
	return map[string]any{"DBCluster": c.describe()}, nil
}

// tags are the tags behind an ARN.
func (r *RDS) tags(in map[string]any) (map[string]string, error) {
	name, _ := in["ResourceName"].(string)
	for id, d := range r.instances {
		if name == arn("db", id) {
			return d.tags, nil
		}
	}
	for id, c := range r.clusters {
		if name == arn("cluster", id) {
			return c.tags, nil
		}
	}
	return nil, fail("DBInstanceNotFoundFault", "%s not found.", name)
}

func (r *RDS) tag(in map[string]any) (map[string]any, error) {
	tags, err := r.tags(in)
	if err != nil {
		return nil, err
	}
	for _, t := range in["Tags"].([]any) {
		tag := t.(map[string]any)
		tags[tag["Key"].(string)] = tag["Value"].(string)
	}
	return nil, nil
}

func (r *RDS) untag(in map[string]any) (map[string]any, error) {
	tags, err := r.tags(in)
	if err != nil {
		return nil, err
	}
	for _, k := range in["TagKeys"].([]any) {
		delete(tags, k.(string))
	}
	return nil, nil
}
