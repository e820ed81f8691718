package kubernetes

import (
	"net"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest/kubetest"
)

type m = map[string]any

// plan plans a fault in the cluster of a test.
func (b *bench) plan(t *testing.T, config m) (fault.Plan, error) {
	t.Helper()
	r := b.rig(t, config)
	target, err := Kinds().Decode(r.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
}

// Every refusal, by its words. Nothing is changed by any of them.
func TestRefusals(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	b.Namespace(t, "shop")
	b.Workload(t, "Deployment", "shop", "web", 7, "")
	b.Workload(t, "Deployment", "shop", "other", 2, "")
	b.Workload(t, "Deployment", "shop", "none", 0, "")
	b.Node(t, "head", kubetest.Zones()[1])
	patch(t, b.Nodes(), "head", `{"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}`)
	b.Node(t, "spare", kubetest.Zones()[1])
	b.Node(t, "lonely", kubetest.Zones()[1])
	budget := kubetest.Object(t, `{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "shop"},
		"spec": {"minAvailable": 6, "selector": {"matchLabels": {"app": "web"}}}}`)
	b.Apply(t, b.Resource("policy", "v1", "poddisruptionbudgets", "shop"), budget)
	b.Until(t, "the budget is known", func() error {
		if number(get(b.Resource("policy", "v1", "poddisruptionbudgets", "shop"), "web"), "status", "disruptionsAllowed") != 1 {
			return errNoEffect
		}
		return nil
	})
	allow := kubetest.Object(t, `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "allow", "namespace": "shop"},
		"spec": {"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress"], "ingress": [{}]}}`)
	b.Apply(t, b.Resource("networking.k8s.io", "v1", "networkpolicies", "shop"), allow)
	bare := kubetest.Object(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": "shop"},
		"spec": {"nodeName": "lonely", "terminationGracePeriodSeconds": 0, "containers": [{"name": "one", "image": "none"}]}}`)
	b.Apply(t, b.Pods("shop"), bare)
	t.Setenv("KUBECONFIG", "/nonexistent")

	pod, err := b.Pods("shop").List(t.Context(), metav1.ListOptions{LabelSelector: "app=other"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		config m
		want   string
		env    string
	}{
		{"nothing matches", m{"delete": m{"selector": "app=api"}}, "no pod of 10 in shop matches app=api", ""},
		{
			"more than max",
			m{"delete": m{"selector": "app=web", "max": 2}},
			"7 of 10 pods in shop match app=web, max is 2: raise max, or give percent to hit some of them", "",
		},
		{"max is one", m{"delete": m{"selector": "app=other"}}, "2 of 10 pods in shop match app=other, max is 1", ""},
		{"system", m{"namespace": "kube-system", "delete": m{"selector": "app=web"}}, "kube-system holds what the cluster itself needs: say even_system: true if it may be hit", ""},
		{
			"our own pod",
			m{"delete": m{"selector": "app=other", "max": 2}},
			"is the one that Belay runs in: narrow the selector", pod.Items[0].GetName(),
		},
		{"our own workload", m{"scale": m{"deployment": "other"}}, "is the one that Belay runs in", pod.Items[0].GetName()},
		{
			"a budget",
			m{"evict": m{"selector": "app=web", "max": 7}},
			"disruption budget shop/web allows 1 disruption now, and 7 of its pods would be evicted: lower max, or delete them, which does not ask it", "",
		},
		{"no such workload", m{"scale": m{"deployment": "api"}}, "deployment shop/api does not exist", ""},
		{"zero already", m{"scale": m{"deployment": "none"}}, "deployment shop/none has 0 replicas already", ""},
		{"too many pods", m{"scale": m{"deployment": "web", "max": 3}}, "deployment shop/web has 7 pods, max is 3", ""},
		{"nothing to restart", m{"restart": m{"deployment": "none"}}, "deployment shop/none has no pods: there is nothing to restart", ""},
		{"no such node", m{"cordon": m{"node": "nine"}}, "none of 6 nodes is called nine", ""},
		{"no node matches", m{"cordon": m{"selector": "disk=ssd"}}, "none of 6 nodes matches disk=ssd", ""},
		{
			"too many nodes",
			m{"cordon": m{"selector": "topology.kubernetes.io/zone=zone-a"}},
			"2 of 6 nodes match topology.kubernetes.io/zone=zone-a, max is 1", "",
		},
		{"control plane", m{"cordon": m{"node": "head"}}, "node head has the role control-plane: say even_system: true if it may be hit", ""},
		{"nothing to drain", m{"drain": m{"node": "spare"}}, "no pod would have to leave: cordon the node instead", ""},
		{"nobody makes it again", m{"drain": m{"node": "lonely"}}, "pod shop/bare has no controller that makes it again: say even_unmanaged: true if it may be lost", ""},
		{
			"allowed by another policy",
			m{"block": m{"selector": "app=other", "direction": "ingress"}},
			"networkpolicy shop/allow allows some ingress of pod other-", "",
		},
		{"block nothing", m{"block": m{"selector": "app=api"}}, "no pod of 10 in shop matches app=api", ""},
		{
			"an unknown field",
			m{"chaos_mesh": m{"kind": "NetworkChaos", "spec": m{"action": "delay", "mode": "all", "selector": m{}, "latency": "1s"}}},
			`unknown field "spec.latency"`, "",
		},
		{
			"a wrong value",
			m{"chaos_mesh": m{"kind": "PodChaos", "spec": m{"action": "explode", "mode": "all", "selector": m{}}}},
			`Unsupported value: "explode"`, "",
		},
		{"an unknown kind", m{"chaos_mesh": m{"kind": "MoonChaos", "spec": m{"action": "x"}}}, "does not know MoonChaos of chaos-mesh.org: is Chaos Mesh installed there", ""},
		{
			"the system by selector", m{"chaos_mesh": m{"kind": "NetworkChaos", "spec": m{
				"action": "delay", "mode": "all", "selector": m{"namespaces": []any{"kube-system"}},
			}}}, "kube-system holds what the cluster itself needs", "",
		},
		{
			"a wrong engine",
			m{"litmus": m{"spec": m{"jobCleanUpPolicy": "burn", "experiments": []any{m{"name": "pod-x"}}}}},
			"chaosengine shop/belay-f1 would be refused", "",
		},
		{"viewer", m{"context": kubetest.Viewer, "scale": m{"deployment": "web"}}, "to patch deployments in shop: ask for a role that has this", ""},
		{"viewer of nodes", m{"context": kubetest.Viewer, "cordon": m{"node": "spare"}}, "to get nodes, list nodes, patch nodes", ""},
		{"stranger", m{"context": kubetest.Stranger, "scale": m{"deployment": "web"}}, "does not know us: log in again, or give another context", ""},
		{"no such context", m{"context": "moon", "scale": m{"deployment": "web"}}, `context "moon" does not exist`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.env != "" {
				t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
				t.Setenv("POD_NAMESPACE", "shop")
				t.Setenv("POD_NAME", tt.env)
			}
			if tt.config["namespace"] == nil {
				tt.config["namespace"] = "shop"
			}
			_, err := b.plan(t, tt.config)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("refused with %v, want %q", err, tt.want)
			}
		})
	}
	b.Ready(t, "shop", "app=web", 7)
}

// An API that is not there, or is silent, is found out within seconds.
func TestUnreachable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, address := range map[string]string{"silent": silent.Addr().String(), "closed": closed.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := writeConfig(t, "https://"+address)
			k := &Kubernetes{Kubeconfig: config, Namespace: "shop", Scale: &Workload{Deployment: "web"}}
			began := time.Now()
			_, err := k.Target().Plan(t.Context(), fault.Ask{ID: "f1"})
			if err == nil || !strings.Contains(err.Error(), "reach Kubernetes at https://"+address+" (context one): is it up, and is this the right context") {
				t.Errorf("refused with %v", err)
			}
			if took := time.Since(began); took > requestBound+2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestNoCluster(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nonexistent/config")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	k := &Kubernetes{Scale: &Workload{Deployment: "web"}}
	_, err := k.Target().Plan(t.Context(), fault.Ask{ID: "f1"})
	if err == nil || err.Error() != "no cluster is known: give kubeconfig, or set KUBECONFIG, or run inside one" {
		t.Errorf("refused with %v", err)
	}
	for _, c := range Capabilities(t.Context()) {
		if c.Here || c.Why != err.Error() {
			t.Errorf("%s: here %v, %q", c.Fault, c.Here, c.Why)
		}
	}
}
