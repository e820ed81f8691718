package awstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// EC2 are the simulated instances. A state takes its time, as in AWS.
type EC2 struct {
	mu        sync.Mutex
	instances map[string]*Instance
	// Took is how long stopping and starting take.
	took time.Duration
}

// Instance is one simulated instance.
type Instance struct {
	ID, Zone, Device, Group string
	Tags                    map[string]string
	Launched                time.Time
	Reason                  string
	state, next             string
	due                     time.Time
}

func newEC2() *EC2 { return &EC2{instances: map[string]*Instance{}, took: 30 * time.Millisecond} }

// Took says how long stopping and starting take from now on.
func (e *EC2) Took(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.took = d
}

// Run adds running instances; unset fields get usual values.
func (e *EC2) Run(all ...Instance) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, i := range all {
		if i.Device == "" {
			i.Device = "ebs"
		}
		if i.Zone == "" {
			i.Zone = Region + "a"
		}
		if i.Tags == nil {
			i.Tags = map[string]string{}
		}
		if i.Launched.IsZero() {
			i.Launched = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		}
		i.state = "running"
		e.instances[i.ID] = &i
	}
}

// State is the state of an instance; empty when there is none.
func (e *EC2) State(id string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.instances[id]; i != nil {
		return i.now()
	}
	return ""
}

// Tags are the tags of an instance.
func (e *EC2) Tags(id string) map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]string{}
	for k, v := range e.instances[id].Tags {
		out[k] = v
	}
	return out
}

// PersonStarts starts an instance as a person would, and lets it be running at once.
func (e *EC2) PersonStarts(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.instances[id]
	i.state, i.next, i.Reason = "running", "", ""
	i.Launched = time.Now().UTC().Truncate(time.Second)
}

// PersonStops stops an instance as a person would.
func (e *EC2) PersonStops(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.instances[id]
	i.state, i.next = "stopped", ""
	i.Reason = "User initiated (" + time.Now().UTC().Add(time.Second).Format("2006-01-02 15:04:05") + " GMT)"
}

// Terminate takes an instance away.
func (e *EC2) Terminate(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.instances[id].state, e.instances[id].next = "terminated", ""
}

// now is the state, after what has become due.
func (i *Instance) now() string {
	if i.next != "" && !time.Now().Before(i.due) {
		i.state, i.next = i.next, ""
	}
	return i.state
}

// to lets the instance go through a state to another.
func (i *Instance) to(through, next string, took time.Duration) {
	i.state, i.next, i.due = through, next, time.Now().Add(took)
}

func (e *EC2) handlers() map[string]handler {
	locked := func(h handler) handler {
		return func(in map[string]any) (map[string]any, error) {
			e.mu.Lock()
			defer e.mu.Unlock()
			return h(in)
		}
	}
	return map[string]handler{
		"DescribeInstances": locked(e.describe), "StopInstances": locked(e.stop), "StartInstances": locked(e.start),
		"RebootInstances": locked(e.reboot), "TerminateInstances": locked(e.terminate),
		"CreateTags": locked(e.createTags), "DeleteTags": locked(e.deleteTags),
	}
}

// named are the instances that a request names. AWS refuses the whole request when one is not there.
func (e *EC2) named(in map[string]any, key string) ([]*Instance, error) {
	var out []*Instance
	ids, _ := in[key].([]any)
	for _, id := range ids {
		i := e.instances[id.(string)]
		if i == nil {
			return nil, fail("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist", id)
		}
		out = append(out, i)
	}
	if dry, _ := in["DryRun"].(bool); dry {
		return nil, fail("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	}
	return out, nil
}

func (e *EC2) describe(in map[string]any) (map[string]any, error) {
	all, err := e.named(in, "InstanceIds")
	if err != nil {
		return nil, err
	}
	if in["InstanceIds"] == nil {
		for _, i := range e.instances {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b *Instance) int { return strings.Compare(a.ID, b.ID) })
	var reservations []any
	for _, i := range all {
		ok, err := i.matches(in["Filters"])
		if err != nil {
			return nil, err
		}
		if ok {
			reservations = append(reservations, map[string]any{"ReservationId": "r-" + i.ID[2:], "Instances": []any{i.describe()}})
		}
	}
	return page(in, reservations)
}

// page returns two reservations at a time, so that a client which reads only the first page is found out.
func page(in map[string]any, all []any) (map[string]any, error) {
	from := 0
	if token, ok := in["NextToken"].(string); ok {
		if _, err := fmt.Sscanf(token, "from-%d", &from); err != nil || from > len(all) {
			return nil, fail("InvalidNextToken", "%s", token)
		}
	}
	to := len(all)
	out := map[string]any{}
	if in["InstanceIds"] == nil && to > from+2 {
		to = from + 2
		out["NextToken"] = fmt.Sprintf("from-%d", to)
	}
	out["Reservations"] = append([]any{}, all[from:to]...)
	return out, nil
}

func (i *Instance) matches(filters any) (bool, error) {
	list, _ := filters.([]any)
	for _, f := range list {
		filter := f.(map[string]any)
		name, _ := filter["Name"].(string)
		values, _ := filter["Values"].([]any)
		var have string
		switch key, isTag := strings.CutPrefix(name, "tag:"); {
		case isTag:
			have = i.Tags[key]
		case name == "instance-state-name":
			have = i.now()
		case name == "instance-id":
			have = i.ID
		default:
			return false, fail("InvalidParameterValue", "The filter '%s' is invalid", name)
		}
		if !slices.Contains(values, any(have)) {
			return false, nil
		}
	}
	return true, nil
}

func stateOf(name string) map[string]any {
	code := map[string]int{"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}[name]
	return map[string]any{"Name": name, "Code": code}
}

func (i *Instance) describe() map[string]any {
	var tags []any
	for _, k := range sortedKeys(anyOf(i.Tags)) {
		tags = append(tags, map[string]any{"Key": k, "Value": i.Tags[k]})
	}
	if i.Group != "" {
		tags = append(tags, map[string]any{"Key": "aws:autoscaling:groupName", "Value": i.Group})
	}
	return map[string]any{
		"InstanceId": i.ID, "State": stateOf(i.now()), "LaunchTime": i.Launched, "StateTransitionReason": i.Reason, "Tags": append([]any{}, tags...),
		"RootDeviceType": i.Device, "Placement": map[string]any{"AvailabilityZone": i.Zone}, "InstanceType": "t3.micro",
	}
}

func anyOf(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// change lets instances go to a state from those states from which AWS allows it.
func (e *EC2) change(in map[string]any, from []string, do func(*Instance)) ([]any, error) {
	all, err := e.named(in, "InstanceIds")
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if !slices.Contains(from, i.now()) {
			return nil, fail("IncorrectInstanceState", "The instance '%s' is not in a state from which it can do this: %s", i.ID, i.now())
		}
	}
	changes := []any{}
	for _, i := range all {
		was := i.now()
		do(i)
		changes = append(changes, map[string]any{"InstanceId": i.ID, "PreviousState": stateOf(was), "CurrentState": stateOf(i.now())})
	}
	return changes, nil
}

func (e *EC2) stop(in map[string]any) (map[string]any, error) {
	ids, _ := in["InstanceIds"].([]any)
	for _, id := range ids {
		if i := e.instances[id.(string)]; i != nil && i.Device != "ebs" {
			return nil, fail("UnsupportedOperation", "The instance '%s' does not have an 'ebs' root device type and cannot be stopped", i.ID)
		}
	}
	changes, err := e.change(in, []string{"running", "stopping", "stopped", "pending"}, func(i *Instance) {
		if i.now() == "running" || i.now() == "pending" {
			i.to("stopping", "stopped", e.took)
			i.Reason = "User initiated (" + time.Now().UTC().Format("2006-01-02 15:04:05") + " GMT)"
		}
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"StoppingInstances": changes}, nil
}

func (e *EC2) start(in map[string]any) (map[string]any, error) {
	changes, err := e.change(in, []string{"stopped", "running", "pending"}, func(i *Instance) {
		if i.now() == "stopped" {
			i.to("pending", "running", e.took)
			// LaunchTime has whole seconds: it must differ although a test stopped it just now.
			i.Launched, i.Reason = time.Now().UTC().Truncate(time.Second), ""
		}
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"StartingInstances": changes}, nil
}

func (e *EC2) reboot(in map[string]any) (map[string]any, error) {
	_, err := e.change(in, []string{"running"}, func(*Instance) {})
	return nil, err
}

func (e *EC2) terminate(in map[string]any) (map[string]any, error) {
	changes, err := e.change(in, []string{"running", "stopped", "stopping", "pending", "shutting-down", "terminated"}, func(i *Instance) {
		if i.now() != "terminated" {
			i.to("shutting-down", "terminated", e.took)
		}
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"TerminatingInstances": changes}, nil
}

func (e *EC2) createTags(in map[string]any) (map[string]any, error) {
	all, err := e.named(in, "Resources")
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		for _, t := range in["Tags"].([]any) {
			tag := t.(map[string]any)
			key, value := tag["Key"].(string), tag["Value"].(string)
			if len(key) > 127 || len(value) > 255 {
				return nil, fail("InvalidParameterValue", "Tag key or value is too long")
			}
			i.Tags[key] = value
		}
	}
	return nil, nil
}

func (e *EC2) deleteTags(in map[string]any) (map[string]any, error) {
	all, err := e.named(in, "Resources")
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		for _, t := range in["Tags"].([]any) {
			delete(i.Tags, t.(map[string]any)["Key"].(string))
		}
	}
	return nil, nil
}
