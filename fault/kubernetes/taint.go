package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// taint is the fault that puts a taint on nodes.
type taint struct {
	address
	alterTarget
	which Taint
}

func (t taint) String() string {
	if t.which.Value == "" {
		return t.which.Key + ":" + t.which.Effect
	}
	return t.which.Key + "=" + t.which.Value + ":" + t.which.Effect
}

func (t taint) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := t.open()
	if err != nil {
		return fault.Plan{}, err
	}
	if err := c.may(ctx, nodeRights()...); err != nil {
		return fault.Plan{}, err
	}
	nodes, all, err := t.nodes(ctx, c, t.which.Node, t.which.Selector, t.which.Max)
	if err != nil {
		return fault.Plan{}, err
	}
	for _, n := range nodes {
		if _, there := t.find(n.Spec.Taints); there {
			return fault.Plan{}, fmt.Errorf("node %s has the taint %s:%s already", n.object.GetName(), t.which.Key, t.which.Effect)
		}
	}
	p, u, err := c.nodePlan(ask, "taint", nodes, all, "put the taint "+t.String()+" on node %s")
	if err != nil {
		return p, err
	}
	hit := nodeObjects(nodes)
	if t.which.Effect == "NoExecute" {
		driven, err := t.driven(ctx, c, nodes)
		if err != nil {
			return p, err
		}
		p.Radius = append(p.Radius, fmt.Sprintf("%s without a toleration must leave", count(len(driven), "pod")))
		for _, o := range driven {
			u.Evicted = append(u.Evicted, victimOf(o))
		}
		hit = append(hit, driven...)
	}
	if p.Production, err = c.production(ctx, nil, hit...); err != nil {
		return p, err
	}
	p.Mechanism = "Kubernetes API: spec.taints"
	p.Undo, err = json.Marshal(u)
	return p, err
}

// driven are the pods that a NoExecute taint drives away at once.
func (t taint) driven(ctx context.Context, c *cluster, nodes []node) ([]unstructured.Unstructured, error) {
	pods, err := c.on(ctx, nodes)
	if err != nil {
		return nil, err
	}
	pods = slices.DeleteFunc(pods, t.tolerated)
	return pods, t.mayLeave(pods, t.which.MaxPods)
}

// tolerated says that a pod may stay, for a while or for ever.
func (t taint) tolerated(p unstructured.Unstructured) bool {
	var spec struct {
		Spec struct {
			Tolerations []struct {
				Key      string `json:"key"`
				Operator string `json:"operator"`
				Value    string `json:"value"`
				Effect   string `json:"effect"`
			} `json:"tolerations"`
		} `json:"spec"`
	}
	if err := decode(&p, &spec); err != nil {
		return false
	}
	for _, one := range spec.Spec.Tolerations {
		effect := one.Effect == "" || one.Effect == t.which.Effect
		key := one.Key == t.which.Key || one.Key == "" && one.Operator == "Exists"
		if effect && key && (one.Operator == "Exists" || one.Value == t.which.Value) {
			return true
		}
	}
	return false
}

// Confirm looks at the nodes, and at the pods that a NoExecute taint was to drive away.
func (t taint) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return "", err
	}
	nodes, err := u.reread(ctx, c)
	if err != nil {
		return "", err
	}
	var out []string
	for _, n := range nodes {
		name := n.object.GetName()
		if s, there := t.find(n.Spec.Taints); !there || s.Value != t.which.Value {
			return "", fmt.Errorf("node %s has no taint %s", name, t)
		}
		out = append(out, "node "+name+" has the taint "+t.String())
	}
	gone, ending, err := c.gone(ctx, u.Evicted)
	if err != nil {
		return "", err
	}
	if gone+ending < len(u.Evicted) {
		return "", fmt.Errorf("%w: %d of %s are still there", errNoEffect, len(u.Evicted)-gone-ending, count(len(u.Evicted), "pod"))
	}
	if len(u.Evicted) > 0 {
		out = append(out, goneText(gone, ending, len(u.Evicted)))
	}
	return strings.Join(out, ", "), nil
}

func (t taint) find(taints []stain) (stain, bool) { return tainted{t.which}.find(taints) }

// tainted is what taint changes.
type tainted struct{ which Taint }

// find is the taint with our key and effect, whatever its value. A node has at most one.
func (t tainted) find(taints []stain) (stain, bool) {
	for _, s := range taints {
		if s.Key == t.which.Key && s.Effect == t.which.Effect {
			return s, true
		}
	}
	return stain{}, false
}

func (t tainted) set(o *unstructured.Unstructured) (map[string]any, error) {
	n, err := readNode(o)
	if err != nil {
		return nil, err
	}
	return taints(append(n.Spec.Taints, stain{Key: t.which.Key, Value: t.which.Value, Effect: t.which.Effect})), nil
}

// taints is the patch that sets all taints of a node.
func taints(all []stain) map[string]any {
	return map[string]any{"spec": map[string]any{"taints": all}}
}

func (t tainted) changed(o *unstructured.Unstructured) string {
	n, err := readNode(o)
	if err != nil {
		return err.Error()
	}
	switch s, there := t.find(n.Spec.Taints); {
	case !there:
		return "somebody took the taint away since"
	case s.Value != t.which.Value:
		return fmt.Sprintf("somebody set the taint's value to %q since", s.Value)
	}
	return ""
}

func (t tainted) original(o *unstructured.Unstructured, _ int64) bool {
	n, err := readNode(o)
	if err != nil {
		return false
	}
	_, there := t.find(n.Spec.Taints)
	return !there
}

func (t tainted) back(o *unstructured.Unstructured, _ int64) (map[string]any, error) {
	n, err := readNode(o)
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(n.Spec.Taints, func(s stain) bool { return s.Key == t.which.Key && s.Effect == t.which.Effect })
	if len(left) == 0 {
		return taints(nil), nil
	}
	return taints(left), nil
}
