package kubernetes

import (
	"context"
	"time"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"kubernetes": func() fault.Config { return new(Kubernetes) }}
}

// lookBound is how long a look for capabilities may take.
const lookBound = 3 * time.Second

// Capabilities says which of them can be made in the cluster of the current context. It changes nothing. Whether we may
// make one depends on its namespace: a plan says it.
func Capabilities(ctx context.Context) []fault.Capability {
	ctx, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	here, why, has := look(ctx)
	c := fault.Capability{Class: fault.Restore, Fidelity: fault.Process, Mechanism: "Kubernetes API", Here: here, Why: why, Needs: []string{"a Kubernetes API"}}
	all := []fault.Capability{
		kind(c, "delete", fault.OneShot, fault.Process, "pods are deleted; who made them makes others"),
		kind(c, "evict", fault.OneShot, fault.Process, "pods are evicted, if their disruption budgets allow it"),
		kind(c, "scale", fault.Restore, fault.Process, "a deployment or stateful set has no pods"),
		kind(c, "restart", fault.OneShot, fault.Process, "the pods of a workload restart, one after the other"),
		kind(c, "cordon", fault.Restore, fault.Host, "a node takes no new pods"),
		kind(c, "drain", fault.Restore, fault.Host, "a node takes no new pods, and those on it are evicted"),
		kind(c, "taint", fault.Restore, fault.Host, "a node has a taint"),
		kind(c, "block", fault.Restore, fault.Network, "the traffic of pods is denied, where the network plugin enforces policies"),
	}
	mesh := kind(c, "chaos_mesh", fault.SelfEnding, fault.Network, "whatever the custom resources of Chaos Mesh can do")
	engine := kind(c, "litmus", fault.SelfEnding, fault.Process, "whatever the experiments of LitmusChaos can do")
	all = append(all, installed(mesh, "Chaos Mesh", has[chaosGroup]), installed(engine, "LitmusChaos", has[litmusGroup]))
	return all
}

func kind(c fault.Capability, name string, class fault.Class, fidelity fault.Fidelity, effect string) fault.Capability {
	c.Fault, c.Class, c.Fidelity, c.Effect = "kubernetes."+name, class, fidelity, effect
	return c
}

// installed is a capability that somebody else's tool in the cluster gives.
func installed(c fault.Capability, tool string, there bool) fault.Capability {
	c.Mechanism, c.Needs = tool, []string{tool + " in the cluster"}
	if c.Here && !there {
		c.Here, c.Mechanism, c.Why = false, "", tool+" is not installed in the cluster"
	}
	return c
}

// look asks the cluster of the current context for its API groups.
func look(ctx context.Context) (here bool, why string, groups map[string]bool) {
	c, err := address{}.open()
	if err != nil {
		return false, err.Error(), nil
	}
	var list struct {
		Groups []struct {
			Name string `json:"name"`
		} `json:"groups"`
	}
	if _, err := c.get(ctx, "/apis", &list); err != nil {
		return false, err.Error(), nil
	}
	groups = map[string]bool{}
	for _, g := range list.Groups {
		groups[g.Name] = true
	}
	return true, "", groups
}
