package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/belay-dr/belay/fault"
)

// node is a node with the fields that the faults look at.
type node struct {
	object *unstructured.Unstructured
	nodeFields
}

type nodeFields struct {
	Spec struct {
		Unschedulable bool    `json:"unschedulable"`
		Taints        []stain `json:"taints"`
	} `json:"spec"`
}

// stain is one taint of a node.
type stain struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
	// TimeAdded is kept as it is.
	TimeAdded string `json:"timeAdded,omitempty"`
}

func readNode(o *unstructured.Unstructured) (node, error) {
	n := node{object: o}
	if err := decode(o, &n.nodeFields); err != nil {
		return n, fmt.Errorf("read node %s: %w", o.GetName(), err)
	}
	return n, nil
}

// nodes finds the nodes of a fault, and how many there are. It refuses the system's, the one that we run on, and too many.
func (a address) nodes(ctx context.Context, c *cluster, name, selector string, most int) (match []node, all int, err error) {
	list, err := c.Resource(nodeResource()).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, 0, c.explain(err)
	}
	wanted := labels.Everything()
	if selector != "" {
		if wanted, err = labels.Parse(selector); err != nil {
			return nil, 0, fmt.Errorf("read selector: %w", err)
		}
	}
	for _, o := range list.Items {
		if name != "" && o.GetName() != name || !wanted.Matches(labels.Set(o.GetLabels())) {
			continue
		}
		n, err := readNode(&o)
		if err != nil {
			return nil, 0, err
		}
		match = append(match, n)
	}
	slices.SortFunc(match, func(x, y node) int { return cmp.Compare(x.object.GetName(), y.object.GetName()) })
	switch most = max(1, most); {
	case len(match) == 0 && name != "":
		return nil, 0, fmt.Errorf("none of %s is called %s", count(len(list.Items), "node"), name)
	case len(match) == 0:
		return nil, 0, fmt.Errorf("none of %s matches %s", count(len(list.Items), "node"), selector)
	case len(match) > most:
		return nil, 0, fmt.Errorf("%d of %s match %s, max is %d: raise max if all are meant", len(match), count(len(list.Items), "node"), selector, most)
	}
	return match, len(list.Items), a.mayHit(ctx, c, match)
}

// mayHit refuses nodes that must not be hit.
func (a address) mayHit(ctx context.Context, c *cluster, nodes []node) error {
	mine := c.ownNode(ctx)
	for _, n := range nodes {
		name := n.object.GetName()
		for _, role := range []string{"control-plane", "master", "etcd"} {
			if _, there := n.object.GetLabels()["node-role.kubernetes.io/"+role]; there && !a.cfg.EvenSystem {
				return fmt.Errorf("node %s has the role %s: say even_system: true if it may be hit", name, role)
			}
		}
		if name == mine {
			return fmt.Errorf("node %s is the one that Belay runs on: narrow the selector", name)
		}
		if err := free("node "+name, n.object); err != nil {
			return err
		}
	}
	return nil
}

// ownNode is the node of the pod that we run in; empty outside a cluster.
func (c *cluster) ownNode(ctx context.Context) string {
	namespace, pod := ownPlace()
	if pod == "" {
		return ""
	}
	o, err := c.of(podResource(), namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	name, _, _ := unstructured.NestedString(o.Object, "spec", "nodeName")
	return name
}

// on are the living pods of some nodes, without those of daemon sets, which come back wherever they were.
func (c *cluster) on(ctx context.Context, nodes []node) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	for _, n := range nodes {
		list, err := c.Resource(podResource()).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + n.object.GetName()})
		if err != nil {
			return nil, c.explain(err)
		}
		for _, p := range alive(list.Items) {
			if owner(p) != "DaemonSet" {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// maxPods is how many pods a fault on nodes may drive away when nothing is said.
const maxPods = 20

// mayLeave refuses to drive pods away that must stay.
func (a address) mayLeave(pods []unstructured.Unstructured, most int) error {
	if most == 0 {
		most = maxPods
	}
	if len(pods) > most {
		return fmt.Errorf("%s would have to leave, max_pods is %d", count(len(pods), "pod"), most)
	}
	for _, p := range pods {
		if err := a.allowed(p.GetNamespace()); err != nil {
			return fmt.Errorf("pod %s: %w", path(p.GetNamespace(), p.GetName()), err)
		}
	}
	return notOurs(pods)
}

// nodeRights are what a fault on nodes needs.
func nodeRights() []right {
	return []right{{"get list patch", nodeResource(), "", ""}, {"list", podResource(), "", ""}}
}

// nodePlan is the plan of a fault that changes nodes.
func (c *cluster) nodePlan(ask fault.Ask, verb string, nodes []node, all int, change string) (fault.Plan, alterUndo, error) {
	u := alterUndo{Place: c.place}
	p := fault.Plan{
		Class: fault.Restore, Fidelity: fault.Host, Elsewhere: true, Needs: needs(nodeRights()),
		Radius: []string{fmt.Sprintf("%d of %s", len(nodes), count(all, "node"))},
	}
	for _, n := range nodes {
		name := n.object.GetName()
		m, err := newMark(ask, nil, time.Now())
		if err != nil {
			return p, u, err
		}
		u.Objects = append(u.Objects, altered{Called: "node " + name, Resource: nodeResource(), Name: name, UID: n.object.GetUID(), Mark: m})
		p.Changes = append(p.Changes, fmt.Sprintf(change, name)+", with the label "+m.selector())
		p.Claims = append(p.Claims, c.claim("node", name))
		if p.Target != "" {
			p.Target += ", "
		}
		p.Target += name
	}
	p.Target = verb + " " + p.Target
	return p, u, nil
}

// reread reads the nodes of an undo again.
func (u alterUndo) reread(ctx context.Context, c *cluster) ([]node, error) {
	var out []node
	for _, a := range u.Objects {
		o, err := a.at(c).Get(ctx, a.Name, metav1.GetOptions{})
		if err != nil {
			return nil, c.explain(err)
		}
		n, err := readNode(o)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
