package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// cordon is the fault that keeps new pods away from nodes.
type cordon struct {
	address
	alterTarget
	which Nodes
}

func (k cordon) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := k.open()
	if err != nil {
		return fault.Plan{}, err
	}
	if err := c.may(ctx, nodeRights()...); err != nil {
		return fault.Plan{}, err
	}
	nodes, all, err := k.nodes(ctx, c, k.which.Node, k.which.Selector, k.which.Max)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := schedulable(nodes); err != nil {
		return fault.Plan{}, err
	}
	p, u, err := c.nodePlan(ask, "cordon", nodes, all, "set spec.unschedulable of node %s")
	if err != nil {
		return p, err
	}
	p.Mechanism = "Kubernetes API: spec.unschedulable"
	if p.Production, err = c.production(ctx, nil, nodeObjects(nodes)...); err != nil {
		return p, err
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// schedulable refuses nodes that are cordoned already.
func schedulable(nodes []node) error {
	for _, n := range nodes {
		if n.Spec.Unschedulable {
			return fmt.Errorf("node %s is cordoned already", n.object.GetName())
		}
	}
	return nil
}

// Confirm looks at the nodes again.
func (k cordon) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return "", err
	}
	return u.cordoned(ctx, c)
}

func (u alterUndo) cordoned(ctx context.Context, c *cluster) (string, error) {
	nodes, err := u.reread(ctx, c)
	if err != nil {
		return "", err
	}
	var out []string
	for _, n := range nodes {
		if !n.Spec.Unschedulable {
			return "", fmt.Errorf("node %s takes new pods", n.object.GetName())
		}
		out = append(out, "node "+n.object.GetName()+" takes no new pods")
	}
	return strings.Join(out, ", "), nil
}

// drain is a cordon that also evicts the pods which are there. Those are not brought back.
type drain struct {
	address
	alterTarget
	which Nodes
}

func (d drain) rights() []right {
	return append(nodeRights(), right{"get", podResource(), "", ""}, right{"create", podResource(), "eviction", ""}, right{"list", budgetResource(), "", ""})
}

func (d drain) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := d.open()
	if err != nil {
		return fault.Plan{}, err
	}
	if err := c.may(ctx, d.rights()...); err != nil {
		return fault.Plan{}, err
	}
	nodes, all, err := d.nodes(ctx, c, d.which.Node, d.which.Selector, d.which.Max)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := schedulable(nodes); err != nil {
		return fault.Plan{}, err
	}
	leaving, err := d.leaving(ctx, c, nodes)
	if err != nil {
		return fault.Plan{}, err
	}
	p, u, err := c.nodePlan(ask, "drain", nodes, all, "set spec.unschedulable of node %s")
	if err != nil {
		return p, err
	}
	namespaces := map[string]bool{}
	for _, o := range leaving {
		v := victimOf(o)
		u.Evicted = append(u.Evicted, v)
		p.Changes = append(p.Changes, "evict pod "+v.String())
		namespaces[v.Namespace] = true
	}
	p.Radius = append(p.Radius, fmt.Sprintf("%s of %s; pods of daemon sets stay", count(len(leaving), "pod"), count(len(namespaces), "namespace")))
	p.Mechanism, p.Needs = "Kubernetes API: spec.unschedulable, evictions", needs(d.rights())
	if p.Production, err = c.production(ctx, nil, append(leaving, nodeObjects(nodes)...)...); err != nil {
		return p, err
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// leaving are the pods that a drain evicts. It refuses those that nobody makes again, and more than their budgets allow.
func (d drain) leaving(ctx context.Context, c *cluster, nodes []node) ([]unstructured.Unstructured, error) {
	pods, err := c.on(ctx, nodes)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, errors.New("no pod would have to leave: cordon the node instead")
	}
	if err := d.mayLeave(pods, d.which.MaxPods); err != nil {
		return nil, err
	}
	namespaces := map[string]bool{}
	for _, p := range pods {
		if owner(p) == "" && !d.which.EvenUnmanaged {
			return nil, fmt.Errorf("pod %s has no controller that makes it again: say even_unmanaged: true if it may be lost", path(p.GetNamespace(), p.GetName()))
		}
		namespaces[p.GetNamespace()] = true
	}
	for namespace := range namespaces {
		if err := c.budgets(ctx, namespace, pods); err != nil {
			return nil, err
		}
	}
	return pods, nil
}

// budgetPatience is how long a drain asks a disruption budget again.
const budgetPatience = 10 * time.Second

// Inject cordons, and then evicts.
func (d drain) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readAlter(undo)
	if err != nil {
		return err
	}
	if err := u.alter(ctx, c, d.how); err != nil {
		return err
	}
	u.Done = true
	if err := record(u, save); err != nil {
		return err
	}
	end := time.Now().Add(budgetPatience)
	for _, v := range u.Evicted {
		err := c.evict(ctx, v, nil, false)
		for refused := (refusedError{}); errors.As(err, &refused) && time.Now().Before(end); err = c.evict(ctx, v, nil, false) {
			if err := wait(ctx, 200*time.Millisecond); err != nil {
				return err
			}
		}
		if errors.Is(err, errWentAway) {
			continue // it has left by itself
		}
		if err != nil {
			return c.explain(err)
		}
	}
	return nil
}

// Confirm looks at the nodes and at each pod that was to leave.
func (d drain) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return "", err
	}
	seen, err := u.cordoned(ctx, c)
	if err != nil {
		return "", err
	}
	gone, ending, err := c.gone(ctx, u.Evicted)
	if err != nil {
		return "", err
	}
	if gone+ending < len(u.Evicted) {
		return "", fmt.Errorf("%d of %s are still there", len(u.Evicted)-gone-ending, count(len(u.Evicted), "pod"))
	}
	return seen + ", " + goneText(gone, ending, len(u.Evicted)), nil
}

// unschedulable is what cordon and drain change.
type unschedulable struct{}

func (unschedulable) set(*unstructured.Unstructured) (map[string]any, error) {
	return map[string]any{"spec": map[string]any{"unschedulable": true}}, nil
}

func (unschedulable) changed(o *unstructured.Unstructured) string {
	if is, _, _ := unstructured.NestedBool(o.Object, "spec", "unschedulable"); !is {
		return "somebody uncordoned it since"
	}
	return ""
}

func (u unschedulable) original(o *unstructured.Unstructured, _ int64) bool {
	return u.changed(o) != ""
}

func (unschedulable) back(*unstructured.Unstructured, int64) (map[string]any, error) {
	return map[string]any{"spec": map[string]any{"unschedulable": nil}}, nil
}
