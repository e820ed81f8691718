package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/kubetest"
	"github.com/belay-dr/belay/fault/hold"
)

// held holds a fault with a real holder.
func (b *bench) hold(t *testing.T, config m) (*hold.Held, string, error) {
	t.Helper()
	r := b.rig(t, config)
	dir := filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(Kinds(), dir).Hold(t.Context(), hold.Request{ID: "f1", NoPlaybook: "test", Fault: r.Spec, Limit: time.Minute})
	return h, dir, err
}

func (b *bench) mustHold(t *testing.T, config m) (*hold.Held, string) {
	t.Helper()
	h, dir, err := b.hold(t, config)
	if err != nil {
		t.Fatal(err)
	}
	return h, dir
}

// release ends a fault, which must come to a state and say why, in words that are asked for.
func release(t *testing.T, h *hold.Held, state fault.State, why string) fault.Status {
	t.Helper()
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.State != state || !strings.Contains(strings.Join(st.Superseded, "; "), why) {
		t.Errorf("state is %s %v (%s), want %s: %s", st.State, st.Superseded, st.Error, state, why)
	}
	return st
}

// Somebody deletes the deployment while it is scaled to zero and makes it again under the same name.
func TestRecreated(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "api", 1, "")
	h, _ := b.mustHold(t, m{"namespace": namespace, "scale": m{"deployment": "api"}})
	b.remove(t, b.Deployments(namespace), "api")
	b.Workload(t, "Deployment", namespace, "api", 0, "")
	release(t, h, fault.Superseded, "deployment "+namespace+"/api was deleted and created again by somebody since")
	if n := number(get(b.Deployments(namespace), "api"), "spec", "replicas"); n != 0 {
		t.Errorf("the new one has %d replicas", n)
	}
}

// What is at the target while a fault is held: whose it is, how it was, until when. Another fault stays away, and afterwards nothing is left.
func TestMarksAtTheTarget(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "StatefulSet", namespace, "db", 2, "")
	sets := b.Resource("apps", "v1", "statefulsets", namespace)
	config := m{"namespace": namespace, "scale": m{"stateful_set": "db"}}
	h, _ := b.mustHold(t, config)
	if want := "statefulset " + namespace + "/db has 0 of 2 pods"; h.Status().Confirmed != want {
		t.Errorf("confirmed by %q, want %q", h.Status().Confirmed, want)
	}
	o := get(sets, "db")
	var n note
	if err := json.Unmarshal([]byte(o.GetAnnotations()["belay.dev/fault-f1"]), &n); err != nil {
		t.Fatal(err)
	}
	until, err := time.Parse(time.RFC3339, n.Until)
	if n.Fault != "f1" || n.Was != 2.0 || err != nil || time.Until(until) > time.Minute || time.Until(until) < 30*time.Second {
		t.Errorf("the annotation says %+v", n)
	}
	if o.GetLabels()[Label] != "f1" {
		t.Errorf("labels are %v", o.GetLabels())
	}
	patch(t, sets, "db", `{"spec": {"replicas": 1}}`)
	b.Ready(t, namespace, "app=db", 1)
	if _, err := b.plan(t, config); err == nil || !strings.Contains(err.Error(), "is held by fault f1: end that one first; if it is over, take the label belay.dev/fault away") {
		t.Errorf("another fault: %v", err)
	}
	release(t, h, fault.Superseded, "somebody scaled it to 1 since")
	if o := get(sets, "db"); len(o.GetLabels()) != 0 || len(o.GetAnnotations()) != 0 {
		t.Errorf("left are %v and %v", o.GetLabels(), o.GetAnnotations())
	}
}

// Some of the pods, as percent and max say, and never more than a budget allows.
func TestPods(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 8, "")
	before, err := b.Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h, _ := b.mustHold(t, m{"namespace": namespace, "evict": m{"selector": "app=web", "percent": 50, "max": 3, "seed": "one", "grace": 0}})
	release(t, h, fault.Ended, "")
	if want := "3 of 8 pods that match app=web, of 8 in namespace " + namespace; h.Status().Radius[0] != want {
		t.Errorf("radius is %q, want %q", h.Status().Radius[0], want)
	}
	gone := 0
	for _, p := range before.Items {
		if now := get(b.Pods(namespace), p.GetName()); now.GetUID() != p.GetUID() || now.GetDeletionTimestamp() != nil {
			gone++
		}
	}
	if gone != 3 {
		t.Errorf("%d pods went, want 3", gone)
	}
	b.Ready(t, namespace, "app=web", 8)
}

// The budget changes between the plan and the injection: the API server refuses, the fault fails and says which budget it was.
func TestBudgetRefuses(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	r := b.rig(t, m{"namespace": namespace, "evict": m{"selector": "app=web"}})
	target, err := Kinds().Decode(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	budgets := b.Resource("policy", "v1", "poddisruptionbudgets", namespace)
	b.Apply(t, budgets, kubetest.Object(t, `{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": %q},
		"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}`, namespace))
	b.Until(t, "the budget is known", func() error {
		if number(get(budgets, "web"), "status", "expectedPods") != 1 {
			return errNoEffect
		}
		return nil
	})
	err = target.Inject(t.Context(), p.Undo, func(json.RawMessage) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "may not be evicted now: The disruption budget web needs 1 healthy pods and has 1 currently") {
		t.Errorf("injected with %v", err)
	}
	if _, err := target.Confirm(t.Context(), p.Undo); err == nil {
		t.Error("confirmed, although nothing happened")
	}
}

func TestRestart(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	for kind, key := range map[string]string{"Deployment": "deployment", "StatefulSet": "stateful_set", "DaemonSet": "daemon_set"} {
		pods := 2
		if kind == "DaemonSet" {
			pods = 3 // the shared nodes
		}
		name := strings.ToLower(kind)
		b.Workload(t, kind, namespace, name, pods, "")
		h, _ := b.mustHold(t, m{"namespace": namespace, "restart": m{key: name}})
		if !strings.HasPrefix(h.Status().Confirmed, fmt.Sprintf("%s %s/%s is being restarted, ", name, namespace, name)) {
			t.Errorf("confirmed by %q", h.Status().Confirmed)
		}
		release(t, h, fault.Ended, "")
	}
}

// A NoExecute taint drives the pods away that do not tolerate it, and is confirmed when they have gone.
func TestTaintDrivesAway(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace, node := b.namespace(t), b.fresh("hot")
	b.Node(t, node, kubetest.Zones()[0])
	there := fmt.Sprintf(`"nodeSelector": {"kubernetes.io/hostname": %q}`, node)
	b.Workload(t, "Deployment", namespace, "leaves", 2, there)
	b.Workload(t, "Deployment", namespace, "stays", 1, there+`, "tolerations": [{"key": "fire", "operator": "Exists"}]`)
	h, _ := b.mustHold(t, m{"taint": m{"node": node, "key": "fire", "effect": "NoExecute"}})
	if want := "node " + node + " has the taint fire:NoExecute, 2 of 2 pods gone"; h.Status().Confirmed != want {
		t.Errorf("confirmed by %q, want %q", h.Status().Confirmed, want)
	}
	b.Ready(t, namespace, "app=stays", 1)
	release(t, h, fault.Reverted, "")
	b.Ready(t, namespace, "app=leaves", 2)
	if taints, _, _ := unstructured.NestedSlice(get(b.Nodes(), node).Object, "spec", "taints"); len(taints) > 0 {
		t.Errorf("taints are %v", taints)
	}
}

// A chaos that hits nothing is called all injected by Chaos Mesh. It is not by us.
func TestMeshWithoutTargets(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	namespace := b.namespace(t)
	_, dir, err := b.hold(t, m{"namespace": namespace, "chaos_mesh": m{"kind": "NetworkChaos", "within": 1, "spec": networkDelay("nobody")}})
	if err == nil || !strings.Contains(err.Error(), "networkchaos "+namespace+"/belay-f1 selects nothing") {
		t.Errorf("held with %v", err)
	}
	if st, _, _ := hold.Find(dir, "f1"); st.State != fault.Failed || len(st.Residue) > 0 {
		t.Errorf("state %s, residue %v", st.State, st.Residue)
	}
	if o := get(b.Resource("chaos-mesh.org", "v1alpha1", "networkchaos", namespace), "belay-f1"); o.GetName() != "" {
		t.Error("the chaos is still there")
	}
}

// Chaos Mesh cannot take its chaos back: the finalizer is reported with the object, and never removed. When it can, a
// sweep finds that all is gone.
func TestMeshStuck(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "stuck", 1, "")
	r := b.rig(t, m{"namespace": namespace, "chaos_mesh": m{"kind": "NetworkChaos", "spec": networkDelay("stuck")}})
	target, err := Kinds().Decode(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Elsewhere || !p.EndsThere || p.Class != fault.SelfEnding {
		t.Errorf("the plan says %+v", p)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	at := b.Resource("chaos-mesh.org", "v1alpha1", "networkchaos", namespace)
	if duration, _, _ := unstructured.NestedString(get(at, "belay-f1").Object, "spec", "duration"); duration != "1m0s" {
		t.Errorf("its duration is %q, want the fault's limit", duration)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = target.Revert(ctx, undo, save)
	if err == nil || !strings.Contains(err.Error(), "with the finalizers chaos-mesh/records: what set them must finish its work; Belay never removes one") {
		t.Errorf("reverted with %v", err)
	}
	want := "networkchaos " + namespace + "/belay-f1, with the finalizers chaos-mesh/records"
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) != 1 || left[0] != want {
		t.Errorf("residue is %q, %v, want %q", left, err, want)
	}
	patch(t, at, "belay-f1", `{"spec": {"selector": {"labelSelectors": {"app": "nobody"}}}}`) // our controller is stuck no more
	out, err := target.Revert(t.Context(), undo, save)
	if err != nil || len(out.Superseded) > 0 {
		t.Errorf("reverted with %+v, %v", out, err)
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
		t.Errorf("residue is %q, %v", left, err)
	}
}

// A chaos that kills pods has nothing to take back but its own object.
func TestMeshKills(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	h, _ := b.mustHold(t, m{"namespace": namespace, "chaos_mesh": m{"kind": "PodChaos", "spec": m{
		"action": "pod-kill", "mode": "one", "selector": m{"labelSelectors": m{"app": "web"}},
	}}})
	if h.Status().Class != fault.OneShot || h.Status().Confirmed != "Chaos Mesh says that podchaos "+namespace+"/belay-f1 has injected 1 of 1 target" {
		t.Errorf("%s, confirmed by %q", h.Status().Class, h.Status().Confirmed)
	}
	release(t, h, fault.Ended, "")
	if o := get(b.Resource("chaos-mesh.org", "v1alpha1", "podchaos", namespace), "belay-f1"); o.GetName() != "" {
		t.Error("the chaos is still there")
	}
}

// What the cluster of the current context can do.
func TestCapabilities(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	t.Setenv("KUBECONFIG", b.Kubeconfig)
	all := Capabilities(t.Context())
	if len(all) != 10 {
		t.Errorf("%d capabilities, want 10", len(all))
	}
	for _, c := range all {
		if !c.Here || c.Why != "" {
			t.Errorf("%s: here %v, %q", c.Fault, c.Here, c.Why)
		}
	}
}

// The undo names the context of the plan: another current context must not lead a revert to another cluster.
func TestUndoFindsTheCluster(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "api", 1, "")
	text, err := os.ReadFile(b.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(mine, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", mine)
	k := &Kubernetes{Namespace: namespace, Scale: &Workload{Deployment: "api"}}
	target := k.Target()
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", "/nonexistent")
	other := strings.Replace(string(text), "current-context: admin", "current-context: stranger", 1)
	if err := os.WriteFile(mine, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	moved := strings.ReplaceAll(string(text), "127.0.0.1", "127.0.0.2")
	if err := os.WriteFile(mine, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Revert(t.Context(), undo, save); err == nil || !strings.Contains(err.Error(), "that may be another cluster") {
		t.Errorf("reverted with %v", err)
	}
	if err := os.WriteFile(mine, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := target.Revert(t.Context(), undo, save); err != nil || len(out.Superseded) > 0 {
		t.Errorf("reverted with %+v, %v", out, err)
	}
	b.Ready(t, namespace, "app=api", 1)
}
