package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// evict asks the API server to evict a pod, which asks the pod's disruption budgets. A dry run only asks.
func (c *cluster) evict(ctx context.Context, v victim, grace *int64, dry bool) error {
	options := map[string]any{"preconditions": map[string]any{"uid": string(v.UID)}}
	if grace != nil {
		options["gracePeriodSeconds"] = *grace
	}
	create := metav1.CreateOptions{}
	if dry {
		create.DryRun = []string{metav1.DryRunAll}
	}
	_, err := c.of(podResource(), v.Namespace).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata":      map[string]any{"name": v.Name, "namespace": v.Namespace},
		"deleteOptions": options,
	}}, create, "eviction")
	switch {
	case apierrors.IsTooManyRequests(err):
		return refusedError{v, causes(err)}
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return fmt.Errorf("pod %s %w", v, errWentAway)
	}
	return err
}

// errWentAway says that a pod is not there any more, or another one has its name.
var errWentAway = errors.New("went away since it was planned")

// refusedError is the answer of a disruption budget.
type refusedError struct {
	pod victim
	why string
}

func (e refusedError) Error() string {
	return fmt.Sprintf("pod %s may not be evicted now: %s", e.pod, e.why)
}

// causes are the details of a refusal, which name the budget.
func causes(err error) string {
	status, ok := err.(apierrors.APIStatus)
	if !ok || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return err.Error()
	}
	var out []string
	for _, cause := range status.Status().Details.Causes {
		out = append(out, cause.Message)
	}
	return strings.Join(out, "; ")
}

// budgets refuses more evictions than the disruption budgets of a namespace allow now. The API server decides again when
// it comes to it.
func (c *cluster) budgets(ctx context.Context, namespace string, chosen []unstructured.Unstructured) error {
	list, err := c.of(budgetResource(), namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return c.explain(err)
	}
	for _, b := range list.Items {
		var spec struct {
			Spec struct {
				Selector *metav1.LabelSelector `json:"selector"`
			} `json:"spec"`
			Status struct {
				Allowed int `json:"disruptionsAllowed"`
			} `json:"status"`
		}
		if err := decode(&b, &spec); err != nil {
			return fmt.Errorf("read disruption budget %s: %w", path(namespace, b.GetName()), err)
		}
		wanted, err := metav1.LabelSelectorAsSelector(spec.Spec.Selector)
		if err != nil {
			return fmt.Errorf("read disruption budget %s: %w", path(namespace, b.GetName()), err)
		}
		hit := 0
		for _, p := range chosen {
			if p.GetNamespace() == namespace && wanted.Matches(labels.Set(p.GetLabels())) {
				hit++
			}
		}
		if hit > spec.Status.Allowed {
			return fmt.Errorf("disruption budget %s allows %s now, and %d of its pods would be evicted: lower max, or delete them, which does not ask it",
				path(namespace, b.GetName()), count(spec.Status.Allowed, "disruption"), hit)
		}
	}
	return nil
}
