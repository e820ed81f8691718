package kubernetes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/belay-dr/belay/fault"
)

// Kubernetes is the config of a fault in a cluster: where it is, and exactly one thing to break.
type Kubernetes struct {
	// Kubeconfig is the path of a kubeconfig; empty means $KUBECONFIG, then ~/.kube/config, then the cluster that Belay runs in.
	Kubeconfig string `yaml:"kubeconfig,omitempty" json:"kubeconfig,omitempty"`
	// Context of the kubeconfig; empty means its current one.
	Context string `yaml:"context,omitempty" json:"context,omitempty"`
	// Namespace of pods, workloads and policies; empty means the context's, and then "default".
	Namespace string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	// EvenSystem lets kube-system and the nodes of the control plane be hit.
	EvenSystem bool `yaml:"even_system,omitempty" json:"even_system,omitempty"`

	// Delete deletes pods, and Evict asks their disruption budgets first.
	Delete *Pods `yaml:"delete,omitempty" json:"delete,omitempty"`
	Evict  *Pods `yaml:"evict,omitempty" json:"evict,omitempty"`
	// Scale sets the replicas of a workload to zero, and back.
	Scale *Workload `yaml:"scale,omitempty" json:"scale,omitempty"`
	// Restart restarts the pods of a workload one after the other, as kubectl rollout restart does.
	Restart *Workload `yaml:"restart,omitempty" json:"restart,omitempty"`
	// Cordon keeps new pods away from nodes; Drain evicts those that are there too.
	Cordon *Nodes `yaml:"cordon,omitempty" json:"cordon,omitempty"`
	Drain  *Nodes `yaml:"drain,omitempty" json:"drain,omitempty"`
	// Taint puts a taint on nodes.
	Taint *Taint `yaml:"taint,omitempty" json:"taint,omitempty"`
	// Block denies the traffic of pods by a NetworkPolicy.
	Block *Block `yaml:"block,omitempty" json:"block,omitempty"`
	// ChaosMesh and Litmus let another tool that is installed in the cluster make the fault.
	ChaosMesh *ChaosMesh `yaml:"chaos_mesh,omitempty" json:"chaos_mesh,omitempty"`
	Litmus    *Litmus    `yaml:"litmus,omitempty" json:"litmus,omitempty"`
}

// Pods says which pods. Without percent, more than max that match are a refusal, not a choice.
type Pods struct {
	// Selector is a label selector: "app=web,tier!=db".
	Selector string `yaml:"selector" json:"selector"`
	// Max is how many pods may be hit; 0 means 1, or no bound of its own where percent is given.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// Percent of those that match are hit, rounded down but at least one, and never more than max. Which ones depends on
	// Seed, or on the fault's ID when it is empty.
	Percent int    `yaml:"percent,omitempty" json:"percent,omitempty"`
	Seed    string `yaml:"seed,omitempty" json:"seed,omitempty"`
	// Grace is how many seconds a pod gets to end; empty means what the pod itself asks for.
	Grace *int64 `yaml:"grace,omitempty" json:"grace,omitempty"`
}

// Workload is one of the namespace: exactly one of the names.
type Workload struct {
	Deployment  string `yaml:"deployment,omitempty" json:"deployment,omitempty"`
	StatefulSet string `yaml:"stateful_set,omitempty" json:"stateful_set,omitempty"`
	// DaemonSet can be restarted only.
	DaemonSet string `yaml:"daemon_set,omitempty" json:"daemon_set,omitempty"`
	// Max is how many pods may be hit; 0 means all of the workload.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
}

// Nodes says which nodes: a name, or a label selector.
type Nodes struct {
	Node     string `yaml:"node,omitempty" json:"node,omitempty"`
	Selector string `yaml:"selector,omitempty" json:"selector,omitempty"`
	// Max is how many nodes may be hit; 0 means 1. More that match are a refusal.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// MaxPods is how many pods a drain may evict; 0 means 20.
	MaxPods int `yaml:"max_pods,omitempty" json:"max_pods,omitempty"`
	// EvenUnmanaged lets a drain evict pods that nobody makes again.
	EvenUnmanaged bool `yaml:"even_unmanaged,omitempty" json:"even_unmanaged,omitempty"`
}

// Taint says which nodes get which taint.
type Taint struct {
	Node     string `yaml:"node,omitempty" json:"node,omitempty"`
	Selector string `yaml:"selector,omitempty" json:"selector,omitempty"`
	Max      int    `yaml:"max,omitempty" json:"max,omitempty"`
	// MaxPods is how many pods a NoExecute taint may drive away; 0 means 20.
	MaxPods int    `yaml:"max_pods,omitempty" json:"max_pods,omitempty"`
	Key     string `yaml:"key" json:"key"`
	Value   string `yaml:"value,omitempty" json:"value,omitempty"`
	// Effect is NoSchedule, PreferNoSchedule or NoExecute.
	Effect string `yaml:"effect" json:"effect"`
}

// Block says whose traffic is denied.
type Block struct {
	Selector string `yaml:"selector" json:"selector"`
	// Direction is ingress, egress or both; empty means both.
	Direction string `yaml:"direction,omitempty" json:"direction,omitempty"`
	// Max is how many pods may be hit; 0 means all that match.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
	// Partial accepts that other policies go on allowing some of the traffic.
	Partial bool `yaml:"partial,omitempty" json:"partial,omitempty"`
}

// ChaosMesh is a custom resource of Chaos Mesh.
type ChaosMesh struct {
	// Kind is the resource's: NetworkChaos, PodChaos, StressChaos and so on.
	Kind string `yaml:"kind" json:"kind"`
	// Namespace in which it is made; empty means the fault's.
	Namespace string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	// Spec is the resource's, without duration: that is the fault's limit.
	Spec map[string]any `yaml:"spec" json:"spec"`
	// Within is how many seconds it may take until all is injected; 0 means 60.
	Within int `yaml:"within,omitempty" json:"within,omitempty"`
}

// Litmus is a ChaosEngine of LitmusChaos with one experiment.
type Litmus struct {
	// Namespace in which it is made; empty means the fault's.
	Namespace string         `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Spec      map[string]any `yaml:"spec" json:"spec"`
	// Within is how many seconds it may take until the experiment has injected; 0 means 120.
	Within int `yaml:"within,omitempty" json:"within,omitempty"`
}

// checker is one thing to break.
type checker interface{ check() map[string]string }

// given are the things to break that the config has, by key.
func (k *Kubernetes) given() map[string]checker {
	out := map[string]checker{}
	for key, c := range map[string]struct {
		there bool
		what  checker
	}{
		"delete": {k.Delete != nil, k.Delete}, "evict": {k.Evict != nil, k.Evict},
		"scale": {k.Scale != nil, scaled{k.Scale}}, "restart": {k.Restart != nil, k.Restart},
		"cordon": {k.Cordon != nil, k.Cordon}, "drain": {k.Drain != nil, k.Drain}, "taint": {k.Taint != nil, k.Taint},
		"block": {k.Block != nil, k.Block}, "chaos_mesh": {k.ChaosMesh != nil, k.ChaosMesh}, "litmus": {k.Litmus != nil, k.Litmus},
	} {
		if c.there {
			out[key] = c.what
		}
	}
	return out
}

// CheckConfig says what is wrong.
func (k *Kubernetes) CheckConfig() map[string]string {
	given := k.given()
	if len(given) != 1 {
		return map[string]string{"": "give exactly one of delete, evict, scale, restart, cordon, drain, taint, block, chaos_mesh and litmus"}
	}
	wrong := map[string]string{}
	for key, what := range given {
		for inner, text := range what.check() {
			wrong[strings.TrimSuffix(key+"."+inner, ".")] = text
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// Target is the target of a config that has nothing wrong.
func (k *Kubernetes) Target() fault.Target {
	at := address{*k}
	switch {
	case k.Delete != nil:
		return pods{at, *k.Delete, false}
	case k.Evict != nil:
		return pods{at, *k.Evict, true}
	case k.Scale != nil:
		return scale{at, alterTarget{toZero{}}, *k.Scale}
	case k.Restart != nil:
		return restart{at, *k.Restart}
	case k.Cordon != nil:
		return cordon{at, alterTarget{unschedulable{}}, *k.Cordon}
	case k.Drain != nil:
		return drain{at, alterTarget{unschedulable{}}, *k.Drain}
	case k.Taint != nil:
		return taint{at, alterTarget{tainted{*k.Taint}}, *k.Taint}
	case k.Block != nil:
		return block{at, *k.Block}
	case k.ChaosMesh != nil:
		return chaosMesh{at, *k.ChaosMesh}
	}
	return litmus{at, *k.Litmus}
}

func (p *Pods) check() map[string]string {
	wrong := checkSelector(p.Selector)
	checkCount(wrong, "max", p.Max)
	if p.Percent < 0 || p.Percent > 100 {
		wrong["percent"] = "must be between 1 and 100"
	}
	if p.Seed != "" && p.Percent == 0 {
		wrong["seed"] = "chooses nothing without percent"
	}
	if p.Grace != nil && *p.Grace < 0 {
		wrong["grace"] = "must not be negative"
	}
	return wrong
}

func (w *Workload) check() map[string]string {
	wrong := map[string]string{}
	checkCount(wrong, "max", w.Max)
	if len(slices.DeleteFunc([]string{w.Deployment, w.StatefulSet, w.DaemonSet}, func(s string) bool { return s == "" })) != 1 {
		wrong[""] = "give exactly one of deployment, stateful_set and daemon_set"
	}
	return wrong
}

// scaled is a workload that is to be scaled.
type scaled struct{ *Workload }

func (s scaled) check() map[string]string {
	wrong := s.Workload.check()
	if s.DaemonSet != "" {
		wrong["daemon_set"] = "has no replicas: drain or taint its nodes instead"
	}
	return wrong
}

func (n *Nodes) check() map[string]string {
	wrong := checkNodes(n.Node, n.Selector)
	checkCount(wrong, "max", n.Max)
	checkCount(wrong, "max_pods", n.MaxPods)
	return wrong
}

func (t *Taint) check() map[string]string {
	wrong := checkNodes(t.Node, t.Selector)
	checkCount(wrong, "max", t.Max)
	checkCount(wrong, "max_pods", t.MaxPods)
	if !regexp.MustCompile(`^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`).MatchString(t.Key) {
		wrong["key"] = `must be a taint's key such as "maintenance" or "example.com/maintenance"`
	}
	if !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, t.Effect) {
		wrong["effect"] = "must be NoSchedule, PreferNoSchedule or NoExecute"
	}
	return wrong
}

func (b *Block) check() map[string]string {
	wrong := checkSelector(b.Selector)
	checkCount(wrong, "max", b.Max)
	if !slices.Contains([]string{"", "ingress", "egress", "both"}, b.Direction) {
		wrong["direction"] = "must be ingress, egress or both"
	}
	return wrong
}

func (c *ChaosMesh) check() map[string]string {
	wrong := map[string]string{}
	checkCount(wrong, "within", c.Within)
	if !strings.HasSuffix(c.Kind, "Chaos") || len(c.Kind) < 6 {
		wrong["kind"] = "must be a chaos of Chaos Mesh such as NetworkChaos; a Schedule or a Workflow has no end of its own"
	}
	switch _, there := c.Spec["duration"]; {
	case len(c.Spec) == 0:
		wrong["spec"] = "give the spec of the resource"
	case there:
		wrong["spec.duration"] = "is the fault's limit: leave it out"
	}
	return wrong
}

func (l *Litmus) check() map[string]string {
	wrong := map[string]string{}
	checkCount(wrong, "within", l.Within)
	if _, there := l.Spec["engineState"]; there {
		wrong["spec.engineState"] = "is set by Belay: leave it out"
	}
	list, _ := l.Spec["experiments"].([]any)
	if len(list) != 1 {
		wrong["spec.experiments"] = fmt.Sprintf("give exactly one experiment, not %d: each is a fault of its own", len(list))
	} else if m, ok := list[0].(map[string]any); !ok || m["name"] == nil {
		wrong["spec.experiments"] = "the experiment has no name"
	}
	return wrong
}

func checkSelector(s string) map[string]string {
	wrong := map[string]string{}
	if strings.TrimSpace(s) == "" {
		wrong["selector"] = `give a label selector such as "app=web"`
	} else if _, err := labels.Parse(s); err != nil {
		wrong["selector"] = "is no label selector: " + err.Error()
	}
	return wrong
}

func checkNodes(name, selector string) map[string]string {
	if (name == "") == (selector == "") {
		return map[string]string{"": "give exactly one of node and selector"}
	}
	if selector == "" {
		return map[string]string{}
	}
	return checkSelector(selector)
}

func checkCount(wrong map[string]string, key string, n int) {
	if n < 0 {
		wrong[key] = "must not be negative"
	}
}
