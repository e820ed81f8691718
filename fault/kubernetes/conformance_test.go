package kubernetes

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/kubetest"
)

func TestMain(m *testing.M) { kubetest.Main(m, Kinds(), nil) }

// bench is a cluster and what the rigs need of it. Its eyes and hands are a client of their own.
type bench struct{ *kubetest.Cluster }

func newBench(t *testing.T) *bench {
	t.Helper()
	c := kubetest.Start(t)
	if c == nil {
		return nil
	}
	return &bench{c}
}

// fresh is a name that no other rig has.
func (b *bench) fresh(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:8]) }

// namespace is a fresh one.
func (b *bench) namespace(t testing.TB) string {
	name := b.fresh("test")
	b.Namespace(t, name)
	return name
}

// spec is a fault in the cluster.
func (b *bench) rig(t testing.TB, config map[string]any) faulttest.Rig {
	config["kubeconfig"] = b.Kubeconfig
	return faulttest.Rig{Kinds: Kinds(), Within: 12 * time.Second, Spec: faulttest.Spec(t, map[string]any{"kubernetes": config})}
}

// patch is what somebody else does.
func patch(t testing.TB, at dynamic.ResourceInterface, name, json string) {
	t.Helper()
	if _, err := at.Patch(context.Background(), name, types.MergePatchType, []byte(json), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// remove deletes an object and waits until it is gone.
func (b *bench) remove(t testing.TB, at dynamic.ResourceInterface, name string) {
	t.Helper()
	if err := at.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	b.Until(t, name+" is gone", func() error {
		if _, err := at.Get(context.Background(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("still there: %w", err)
		}
		return nil
	})
}

func get(at dynamic.ResourceInterface, name string) *unstructured.Unstructured {
	o, err := at.Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return &unstructured.Unstructured{Object: map[string]any{}}
	}
	return o
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	n, found, _ := unstructured.NestedInt64(o.Object, path...)
	if !found {
		return -1
	}
	return n
}

func truth(o *unstructured.Unstructured, path ...string) bool {
	is, _, _ := unstructured.NestedBool(o.Object, path...)
	return is
}

func TestConformance(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	t.Run("delete", func(t *testing.T) {
		t.Parallel()
		namespace := b.namespace(t)
		faulttest.Run(t, func(t testing.TB) faulttest.Rig { return b.deleteRig(t, namespace) })
	})
	t.Run("scale", func(t *testing.T) {
		t.Parallel()
		namespace := b.namespace(t)
		faulttest.Run(t, func(t testing.TB) faulttest.Rig { return b.scaleRig(t, namespace) })
	})
	// All faults have the same ID, and nodes have no namespaces: one of these at a time, or they would find each other's marks.
	t.Run("nodes", func(t *testing.T) {
		t.Parallel()
		namespace := b.namespace(t)
		t.Run("cordon", func(t *testing.T) { faulttest.Run(t, b.cordonRig) })
		t.Run("drain", func(t *testing.T) {
			faulttest.Run(t, func(t testing.TB) faulttest.Rig { return b.drainRig(t, namespace) })
		})
		t.Run("taint", func(t *testing.T) { faulttest.Run(t, b.taintRig) })
	})
	t.Run("block", func(t *testing.T) { t.Parallel(); faulttest.Run(t, b.blockRig) })
	t.Run("chaos mesh", func(t *testing.T) { t.Parallel(); faulttest.Run(t, b.meshRig) })
	t.Run("litmus", func(t *testing.T) { t.Parallel(); faulttest.Run(t, b.litmusRig) })
}

func (b *bench) deleteRig(t testing.TB, namespace string) faulttest.Rig {
	name := b.fresh("web")
	b.Workload(t, "Deployment", namespace, name, 2, "")
	pods, err := b.Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		t.Fatal(err)
	}
	r := b.rig(t, map[string]any{"namespace": namespace, "delete": map[string]any{"selector": "app=" + name, "max": 2}})
	r.OneShot = true
	// One pod that is gone is an effect, also of an injection that was cut short.
	r.Broken = func() bool {
		for _, p := range pods.Items {
			if now := get(b.Pods(namespace), p.GetName()); now.GetUID() != p.GetUID() || now.GetDeletionTimestamp() != nil {
				return true
			}
		}
		return false
	}
	r.Remove = func() { b.remove(t, b.Deployments(namespace), name) }
	return r
}

func (b *bench) scaleRig(t testing.TB, namespace string) faulttest.Rig {
	name := b.fresh("api")
	b.Workload(t, "Deployment", namespace, name, 1, "")
	at := b.Deployments(namespace)
	r := b.rig(t, map[string]any{"namespace": namespace, "scale": map[string]any{"deployment": name}})
	r.Broken = func() bool { return number(get(at, name), "spec", "replicas") == 0 }
	r.Change = func() { patch(t, at, name, `{"spec": {"replicas": 2}}`) }
	r.Intact = func() bool { return number(get(at, name), "spec", "replicas") == 2 }
	r.Remove = func() { b.remove(t, at, name) }
	return r
}

func (b *bench) cordonRig(t testing.TB) faulttest.Rig {
	return b.unschedulableRig(t, b.fresh("cordon"), "cordon")
}

func (b *bench) unschedulableRig(t testing.TB, name, kind string) faulttest.Rig {
	b.Node(t, name, kubetest.Zones()[1])
	r := b.rig(t, map[string]any{kind: map[string]any{"node": name}})
	r.Broken = func() bool { return truth(get(b.Nodes(), name), "spec", "unschedulable") }
	r.Change = func() { patch(t, b.Nodes(), name, `{"spec": {"unschedulable": false}}`) }
	r.Intact = func() bool { return !r.Broken() }
	r.Remove = func() { b.remove(t, b.Nodes(), name) }
	return r
}

func (b *bench) drainRig(t testing.TB, namespace string) faulttest.Rig {
	name := b.fresh("drain")
	r := b.unschedulableRig(t, name, "drain")
	b.Workload(t, "Deployment", namespace, name, 1, fmt.Sprintf(`"nodeSelector": {"kubernetes.io/hostname": %q}`, name))
	return r
}

func (b *bench) taintRig(t testing.TB) faulttest.Rig {
	name := b.fresh("taint")
	b.Node(t, name, kubetest.Zones()[1])
	value := func() any {
		taints, _, _ := unstructured.NestedSlice(get(b.Nodes(), name).Object, "spec", "taints")
		for _, one := range taints {
			if m, _ := one.(map[string]any); m["key"] == "exercise" {
				return m["value"]
			}
		}
		return nil
	}
	r := b.rig(t, map[string]any{"taint": map[string]any{"node": name, "key": "exercise", "value": "on", "effect": "NoSchedule"}})
	r.Broken = func() bool { return value() == "on" }
	r.Change = func() {
		patch(t, b.Nodes(), name, `{"spec": {"taints": [{"key": "exercise", "value": "mine", "effect": "NoSchedule"}]}}`)
	}
	r.Intact = func() bool { return value() == "mine" }
	r.Remove = func() { b.remove(t, b.Nodes(), name) }
	return r
}

func (b *bench) blockRig(t testing.TB) faulttest.Rig {
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	at := b.Resource("networking.k8s.io", "v1", "networkpolicies", namespace)
	r := b.rig(t, map[string]any{"namespace": namespace, "block": map[string]any{"selector": "app=web"}})
	r.Broken = func() bool {
		types, _, _ := unstructured.NestedStringSlice(get(at, "belay-f1").Object, "spec", "policyTypes")
		return len(types) == 2
	}
	r.Change = func() { patch(t, at, "belay-f1", `{"spec": {"policyTypes": ["Egress"]}}`) }
	r.Intact = func() bool {
		types, _, _ := unstructured.NestedStringSlice(get(at, "belay-f1").Object, "spec", "policyTypes")
		return len(types) == 1
	}
	r.Remove = func() { b.remove(t, at, "belay-f1") }
	return r
}
