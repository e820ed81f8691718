package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/belay-dr/belay/fault"
)

// block is the fault that denies the traffic of pods by a NetworkPolicy of its own.
type block struct {
	address
	which Block
}

// unenforced is what every plan and every confirmation of a block says.
const unenforced = "the API does not say whether the network plugin enforces policies: watch it with a probe"

// directions are the policy's types.
func (b block) directions() []string {
	switch b.which.Direction {
	case "ingress":
		return []string{"Ingress"}
	case "egress":
		return []string{"Egress"}
	}
	return []string{"Ingress", "Egress"}
}

func (b block) rights(namespace string) []right {
	return []right{{"list", podResource(), "", namespace}, {"get list create delete patch", policyResource(), "", namespace}}
}

func (b block) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := b.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := b.in(c)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := c.may(ctx, b.rights(namespace)...); err != nil {
		return fault.Plan{}, err
	}
	match, all, err := b.matching(ctx, c, namespace, b.which.Selector)
	if err != nil {
		return fault.Plan{}, err
	}
	if b.which.Max > 0 && len(match) > b.which.Max {
		return fault.Plan{}, fmt.Errorf("%d of %s in %s match %s, max is %d: raise max if all are meant", len(match), count(all, "pod"), namespace, b.which.Selector, b.which.Max)
	}
	if err := b.alone(ctx, c, namespace, match); err != nil {
		return fault.Plan{}, err
	}
	m, err := newMark(ask, nil, time.Now())
	if err != nil {
		return fault.Plan{}, err
	}
	u := ownUndo{Place: c.place, Object: owned{Resource: policyResource(), Namespace: namespace, Name: m.object(), Mark: m}}
	u.Object.Called = "networkpolicy " + path(namespace, m.object())
	manifest, err := b.manifest(u.Object)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := u.Object.rehearse(ctx, c, manifest); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: fmt.Sprintf("block %s of %s %s in %s", strings.ToLower(strings.Join(b.directions(), " and ")), count(len(match), "pod"), b.which.Selector, namespace),
		Class:  fault.Restore, Fidelity: fault.Network, Mechanism: "Kubernetes API: NetworkPolicy", Elsewhere: true,
		Changes: []string{"make " + u.Object.Called + ", which allows nothing, with the label " + m.selector()},
		Claims:  []string{c.claim("networkpolicy", path(namespace, b.which.Selector))},
		Radius: []string{
			fmt.Sprintf("%d of %s in namespace %s, and pods that get such labels meanwhile", len(match), count(all, "pod"), namespace), unenforced,
		},
		Needs: needs(b.rights(namespace)),
	}
	if p.Production, err = c.production(ctx, nil, match...); err != nil {
		return fault.Plan{}, err
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (b block) manifest(o owned) (*unstructured.Unstructured, error) {
	selector, err := metav1.ParseToLabelSelector(b.which.Selector)
	if err != nil {
		return nil, fmt.Errorf("read selector: %w", err)
	}
	return o.manifest("networking.k8s.io/v1", "NetworkPolicy", map[string]any{"podSelector": selector, "policyTypes": b.directions()})
}

// alone refuses pods that another fault blocks already, also one of another host, and those whose traffic another policy
// allows: policies only ever add to what is allowed.
func (b block) alone(ctx context.Context, c *cluster, namespace string, pods []unstructured.Unstructured) error {
	list, err := c.of(policyResource(), namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return c.explain(err)
	}
	for _, o := range list.Items {
		var policy struct {
			Spec struct {
				Selector *metav1.LabelSelector `json:"podSelector"`
				Ingress  []json.RawMessage     `json:"ingress"`
				Egress   []json.RawMessage     `json:"egress"`
			} `json:"spec"`
		}
		if err := decode(&o, &policy); err != nil {
			return fmt.Errorf("read networkpolicy %s: %w", path(namespace, o.GetName()), err)
		}
		selected, err := metav1.LabelSelectorAsSelector(policy.Spec.Selector)
		if err != nil {
			return fmt.Errorf("read networkpolicy %s: %w", path(namespace, o.GetName()), err)
		}
		selects := func(p unstructured.Unstructured) bool { return selected.Matches(labels.Set(p.GetLabels())) }
		if slices.ContainsFunc(pods, selects) {
			if err := free("networkpolicy "+path(namespace, o.GetName()), &o); err != nil {
				return err
			}
		}
		if b.which.Partial {
			continue
		}
		for _, direction := range b.directions() {
			rules := policy.Spec.Ingress
			if direction == "Egress" {
				rules = policy.Spec.Egress
			}
			for _, p := range pods {
				if len(rules) > 0 && selects(p) {
					return fmt.Errorf("networkpolicy %s allows some %s of pod %s, and no other policy can deny that: say partial: true if the rest is enough",
						path(namespace, o.GetName()), strings.ToLower(direction), p.GetName())
				}
			}
		}
	}
	return nil
}

func (b block) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readOwn(undo)
	if err != nil {
		return err
	}
	manifest, err := b.manifest(u.Object)
	if err != nil {
		return err
	}
	_, err = u.make(ctx, c, manifest, save)
	return err
}

// Confirm sees that the policy is there and whom it selects. More cannot be seen from the API, and it says so.
func (b block) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return "", err
	}
	if _, err := u.Object.at(c).Get(ctx, u.Object.Name, metav1.GetOptions{}); err != nil {
		if apierrors.IsNotFound(err) {
			return "", fmt.Errorf("%s is not there", u.Object.Called)
		}
		return "", c.explain(err)
	}
	list, err := c.of(podResource(), u.Object.Namespace).List(ctx, metav1.ListOptions{LabelSelector: b.which.Selector})
	if err != nil {
		return "", c.explain(err)
	}
	return fmt.Sprintf("%s is there and selects %s; %s", u.Object.Called, count(len(alive(list.Items)), "pod"), unenforced), nil
}

func (b block) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	return u.unmake(ctx, c, save, true, nil)
}

func (b block) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return nil, err
	}
	return u.residue(ctx, c)
}
