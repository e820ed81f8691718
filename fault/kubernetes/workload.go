package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// workload is a Deployment, StatefulSet or DaemonSet.
type workload struct {
	called   string
	resource resource
	object   *unstructured.Unstructured
	selector labels.Selector
	workloadFields
}

// workloadFields are those that the faults look at.
type workloadFields struct {
	Spec struct {
		Replicas *int64                `json:"replicas"`
		Selector *metav1.LabelSelector `json:"selector"`
		Paused   bool                  `json:"paused"`
		Template struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
		} `json:"template"`
	} `json:"spec"`
	Status struct {
		Observed int64 `json:"observedGeneration"`
		Replicas int   `json:"replicas"`
		Updated  int   `json:"updatedReplicas"`
		Ready    int   `json:"readyReplicas"`
		// A DaemonSet counts under other names.
		Scheduled        int `json:"currentNumberScheduled"`
		UpdatedScheduled int `json:"updatedNumberScheduled"`
	} `json:"status"`
}

// named is the kind and the name that the config gives.
func (w Workload) named() (resource, string, string) {
	apps := resource{Group: "apps", Version: "v1"}
	switch {
	case w.Deployment != "":
		apps.Resource = "deployments"
		return apps, "deployment", w.Deployment
	case w.StatefulSet != "":
		apps.Resource = "statefulsets"
		return apps, "statefulset", w.StatefulSet
	}
	apps.Resource = "daemonsets"
	return apps, "daemonset", w.DaemonSet
}

// workload reads one from the API.
func (c *cluster) workload(ctx context.Context, r resource, kind, namespace, name string) (workload, error) {
	w := workload{called: kind + " " + path(namespace, name), resource: r}
	o, err := c.of(r, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return w, fmt.Errorf("%s does not exist at %s: %w", w.called, c.name(), err)
	}
	if err != nil {
		return w, c.explain(err)
	}
	return w, w.read(o)
}

func (w *workload) read(o *unstructured.Unstructured) error {
	w.object = o
	err := decode(o, &w.workloadFields)
	if err != nil {
		return fmt.Errorf("read %s: %w", w.called, err)
	}
	w.selector, err = metav1.LabelSelectorAsSelector(w.Spec.Selector)
	return err
}

// decode reads some fields of an object into a struct.
func decode(o *unstructured.Unstructured, v any) error {
	b, err := json.Marshal(o.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// replicas is how many are wanted. None said means one.
func (w workload) replicas() int64 {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}

// pods are the living pods of a workload.
func (c *cluster) pods(ctx context.Context, w workload) ([]unstructured.Unstructured, error) {
	list, err := c.of(podResource(), w.object.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: w.selector.String()})
	if err != nil {
		return nil, c.explain(err)
	}
	return alive(list.Items), nil
}

// free refuses an object that another fault holds, also one of another host.
func free(called string, o *unstructured.Unstructured) error {
	if holder := o.GetLabels()[Label]; holder != "" {
		return fmt.Errorf("%s is held by fault %s: end that one first; if it is over, take the label %s away", called, holder, Label)
	}
	return nil
}
