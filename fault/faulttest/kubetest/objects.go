package kubetest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// ZoneLabel is the label that says in which zone a node is. kwok plays the nodes that have it.
const ZoneLabel = "topology.kubernetes.io/zone"

// Zones are the zones of a cluster.
func Zones() []string { return []string{"zone-a", "zone-b"} }

// Resource is the interface of one kind of things, in a namespace or in none.
func (c *Cluster) Resource(group, version, resource, namespace string) dynamic.ResourceInterface {
	all := c.Dynamic.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource})
	if namespace == "" {
		return all
	}
	return all.Namespace(namespace)
}

// Pods, Deployments and Nodes are the resources that most tests look at.
func (c *Cluster) Pods(namespace string) dynamic.ResourceInterface {
	return c.Resource("", "v1", "pods", namespace)
}

// Deployments are those of a namespace.
func (c *Cluster) Deployments(namespace string) dynamic.ResourceInterface {
	return c.Resource("apps", "v1", "deployments", namespace)
}

// Nodes are those of the cluster.
func (c *Cluster) Nodes() dynamic.ResourceInterface { return c.Resource("", "v1", "nodes", "") }

// Object makes an object from JSON such as {"kind": "Pod", ...}.
func Object(t testing.TB, format string, args ...any) *unstructured.Unstructured {
	t.Helper()
	o, err := object(fmt.Sprintf(format, args...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func object(text string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		return nil, fmt.Errorf("read object: %w: %s", err, text)
	}
	return o, nil
}

// sharedNodes is the label of the nodes that all tests share.
const sharedNodes = `"kubetest/shared": "true"`

// furnish makes the nodes, two in the first zone and one in the second, and the viewer.
func (c *Cluster) furnish(ctx context.Context) error {
	viewer, err := object(`{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "kubetest-viewers"},
		"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
		"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "kubetest:viewers"}]}`)
	if err != nil {
		return err
	}
	_, err = c.Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "").Create(ctx, viewer, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	for _, n := range []struct{ name, zone string }{{"a1", Zones()[0]}, {"a2", Zones()[0]}, {"b1", Zones()[1]}} {
		if err := c.node(ctx, n.name, n.zone, sharedNodes); err != nil {
			return err
		}
	}
	return nil
}

// node makes a node and waits until it is ready.
func (c *Cluster) node(ctx context.Context, name, zone, labels string) error {
	n, err := object(fmt.Sprintf(`{"apiVersion": "v1", "kind": "Node", "metadata": {"name": %q,
		"labels": {%q: %q, "kubernetes.io/hostname": %q%s}, "annotations": {"kwok.x-k8s.io/node": "fake"}},
		"spec": {}, "status": {"capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
		"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"}}}`, name, ZoneLabel, zone, name, and(labels)))
	if err != nil {
		return err
	}
	if _, err := c.Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		return err
	}
	return until(ctx, "node "+name+" is ready", func() error {
		n, err := c.Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		taints, _, _ := unstructured.NestedSlice(n.Object, "spec", "taints")
		conditions, _, _ := unstructured.NestedSlice(n.Object, "status", "conditions")
		for _, one := range conditions {
			if m, ok := one.(map[string]any); ok && m["type"] == "Ready" && m["status"] == "True" && len(taints) == 0 {
				return nil
			}
		}
		return fmt.Errorf("conditions %v, taints %v", conditions, taints)
	})
}

// Node makes one more node in a zone for a test of its own. Only pods that ask for it by name come there.
func (c *Cluster) Node(t testing.TB, name, zone string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	if err := c.node(ctx, name, zone, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}) })
}

// Namespace makes a namespace in which pods can be made. It is taken away afterwards.
func (c *Cluster) Namespace(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	n := Object(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": %q}}`, name)
	if _, err := c.Resource("", "v1", "namespaces", "").Create(ctx, n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Resource("", "v1", "namespaces", "").Delete(context.Background(), name, metav1.DeleteOptions{})
	})
	err := until(ctx, "the default service account", func() error {
		_, err := c.Resource("", "v1", "serviceaccounts", name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Workload makes a Deployment, StatefulSet or DaemonSet whose pods have the label app=NAME, and waits until as many of them
// are ready. More is JSON that is added to the pods' spec, such as `"nodeSelector": {...}`; without any they run on the
// nodes that all tests share.
func (c *Cluster) Workload(t testing.TB, kind, namespace, name string, replicas int, more string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	spec := fmt.Sprintf(`"selector": {"matchLabels": {"app": %q}}, "template": {"metadata": {"labels": {"app": %q}}, "spec": {
		"terminationGracePeriodSeconds": 0, "containers": [{"name": "one", "image": "none"}], %s}}`, name, name, cmp.Or(more, `"nodeSelector": {`+sharedNodes+`}`))
	switch kind {
	case "Deployment":
		spec += fmt.Sprintf(`, "replicas": %d`, replicas)
	case "StatefulSet":
		spec += fmt.Sprintf(`, "replicas": %d, "serviceName": %q, "podManagementPolicy": "Parallel"`, replicas, name)
	}
	o := Object(t, `{"apiVersion": "apps/v1", "kind": %q, "metadata": {"name": %q, "namespace": %q}, "spec": {%s}}`, kind, name, namespace, spec)
	resource := map[string]string{"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}[kind]
	if _, err := c.Resource("apps", "v1", resource, namespace).Create(ctx, o, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Ready(t, namespace, "app="+name, replicas)
}

func and(more string) string {
	if more == "" {
		return ""
	}
	return ", " + more
}

// Ready waits until exactly so many pods match a selector, and all are ready.
func (c *Cluster) Ready(t testing.TB, namespace, selector string, want int) {
	t.Helper()
	c.Until(t, fmt.Sprintf("%d pods %s of %s are ready", want, selector, namespace), func() error {
		pods, err := c.Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		ready := 0
		for _, p := range pods.Items {
			if phase, _, _ := unstructured.NestedString(p.Object, "status", "phase"); phase == "Running" && p.GetDeletionTimestamp() == nil {
				ready++
			}
		}
		if ready != want || len(pods.Items) != want {
			return fmt.Errorf("%d of %d are: %s", ready, len(pods.Items), states(pods.Items))
		}
		return nil
	})
}

// states says how some pods are.
func states(pods []unstructured.Unstructured) string {
	var out []string
	for _, p := range pods {
		node, _, _ := unstructured.NestedString(p.Object, "spec", "nodeName")
		conditions, _, _ := unstructured.NestedSlice(p.Object, "status", "conditions")
		out = append(out, fmt.Sprintf("%s on %q, deleted %v, %v", p.GetName(), node, p.GetDeletionTimestamp(), conditions))
	}
	return strings.Join(out, "; ")
}

// Until waits until try has no error any more.
func (c *Cluster) Until(t testing.TB, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	if err := until(ctx, what, try); err != nil {
		t.Fatal(err)
	}
}

// Apply creates an object, or patches the one that is there with it.
func (c *Cluster) Apply(t testing.TB, resources dynamic.ResourceInterface, o *unstructured.Unstructured) {
	t.Helper()
	_, err := resources.Create(context.Background(), o, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var patch []byte
		if patch, err = json.Marshal(o.Object); err == nil {
			_, err = resources.Patch(context.Background(), o.GetName(), "application/merge-patch+json", patch, metav1.PatchOptions{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// CRD makes a custom resource definition and waits until it is served.
func (c *Cluster) CRD(t testing.TB, text string) {
	t.Helper()
	o, err := object(text)
	if err != nil {
		t.Fatal(err)
	}
	crds := c.Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "")
	c.Apply(t, crds, o)
	c.Until(t, o.GetName()+" is served", func() error {
		now, err := crds.Get(context.Background(), o.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(now.Object, "status", "conditions")
		for _, one := range conditions {
			if m, ok := one.(map[string]any); ok && m["type"] == "Established" && m["status"] == "True" {
				return nil
			}
		}
		return errors.New("it is not established")
	})
}

// Soon is a context that ends before a test would hang.
func Soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
