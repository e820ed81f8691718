package kubernetes

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"kubernetes": func() fault.Config { return new(Kubernetes) }}
}

// lookBound is how long a look for capabilities may take.
const lookBound = 3 * time.Second

// Capabilities says which of them can be made in the cluster of the current context. It changes nothing, and asks no cluster
// that is not on this host. Whether we may make one depends on its namespace: a plan says it.
func Capabilities(ctx context.Context) []fault.Capability {
	ctx, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	s := look(ctx)
	c := fault.Capability{Class: fault.Restore, Fidelity: fault.Process, Mechanism: s.mechanism, Here: s.why == "", Why: s.why, Needs: []string{"a Kubernetes API"}}
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
	all = append(all, s.installed(mesh, "Chaos Mesh", chaosGroup), s.installed(engine, "LitmusChaos", litmusGroup))
	return all
}

func kind(c fault.Capability, name string, class fault.Class, fidelity fault.Fidelity, effect string) fault.Capability {
	c.Fault, c.Class, c.Fidelity, c.Effect = "kubernetes."+name, class, fidelity, effect
	return c
}

// installed is a capability that somebody else's tool in the cluster gives.
func (s sight) installed(c fault.Capability, tool, group string) fault.Capability {
	c.Mechanism, c.Needs = tool, []string{tool + " in the cluster"}
	switch {
	case !c.Here:
		c.Mechanism = ""
	case s.groups == nil:
		c.Here, c.Mechanism, c.Why = false, "", "whether "+tool+" is in the cluster was not asked, because that is on another host or needs a login: a plan does"
	case !s.groups[group]:
		c.Here, c.Mechanism, c.Why = false, "", tool+" is not installed in the cluster"
	}
	return c
}

// sight is what is known of the cluster of the current context: its API groups, nil when it was not asked.
type sight struct {
	mechanism, why string
	groups         map[string]bool
}

// look asks the cluster of the current context for its API groups.
func look(ctx context.Context) sight {
	c, err := address{}.open()
	if err != nil {
		return sight{why: err.Error()}
	}
	if !c.near() || c.program != "" {
		return sight{mechanism: "Kubernetes API at " + c.Server + " (not asked)"}
	}
	var list struct {
		Groups []struct {
			Name string `json:"name"`
		} `json:"groups"`
	}
	if _, err := c.get(ctx, "/apis", &list); err != nil {
		return sight{why: err.Error()}
	}
	s := sight{mechanism: "Kubernetes API", groups: map[string]bool{}}
	for _, g := range list.Groups {
		s.groups[g.Name] = true
	}
	return s
}

// near says that asking the cluster does not leave this host.
func (p place) near() bool {
	text := p.Server
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
