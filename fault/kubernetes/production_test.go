package kubernetes

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest/kubetest"
)

// What has a label or an annotation of production, or is in a namespace that has, is known to be production's.
func TestProduction(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	b.installChaos(t)
	namespaces := b.Resource("", "v1", "namespaces", "")
	plain, live := b.namespace(t), b.namespace(t)
	patch(t, namespaces, live, `{"metadata": {"annotations": {"belay.dev/environment": "production"}}}`)
	for _, namespace := range []string{plain, live} {
		b.Workload(t, "Deployment", namespace, "web", 1, "")
	}
	b.Workload(t, "Deployment", plain, "api", 1, "")
	patch(t, b.Deployments(plain), "api", `{"metadata": {"labels": {"env": "prod"}}}`)
	b.Workload(t, "Deployment", plain, "db", 1, "")
	patch(t, b.Deployments(plain), "db", `{"spec": {"template": {"metadata": {"labels": {"environment": "Live"}}}}}`)
	b.Until(t, "the pod of db is the new one", func() error {
		if p, err := b.plan(t, m{"namespace": plain, "delete": m{"selector": "environment=Live", "max": 2}}); err != nil || p.Production == "" {
			return errNoEffect
		}
		return nil
	})
	b.Node(t, "prod-1", kubetest.Zones()[1])
	patch(t, b.Nodes(), "prod-1", `{"metadata": {"labels": {"app.kubernetes.io/environment": "production"}}}`)
	inLive := "namespace " + live + " has the annotation belay.dev/environment=production"
	mesh := func(namespace string, labels m) m {
		return m{"namespace": plain, "chaos_mesh": m{"kind": "NetworkChaos", "spec": m{
			"action": "delay", "mode": "all", "delay": m{"latency": "10ms"}, "selector": m{"namespaces": []string{namespace}, "labelSelectors": labels},
		}}}
	}
	litmus := func(namespace string) m {
		return m{"namespace": plain, "litmus": m{"spec": m{
			"appinfo": m{"appns": namespace, "applabel": "app=web", "appkind": "deployment"}, "chaosServiceAccount": "x", "experiments": []m{{"name": "pod-network-latency"}},
		}}}
	}
	for name, c := range map[string]struct {
		config m
		want   string
	}{
		"nothing says so":          {m{"namespace": plain, "scale": m{"deployment": "web"}}, ""},
		"scale, by the object":     {m{"namespace": plain, "scale": m{"deployment": "api"}}, "deployment " + plain + "/api has the label env=prod"},
		"restart, by the object":   {m{"namespace": plain, "restart": m{"deployment": "api"}}, "deployment " + plain + "/api has the label env=prod"},
		"scale, by the namespace":  {m{"namespace": live, "scale": m{"deployment": "web"}}, inLive},
		"delete, by the namespace": {m{"namespace": live, "delete": m{"selector": "app=web"}}, inLive},
		"block, by the namespace":  {m{"namespace": live, "block": m{"selector": "app=web"}}, inLive},
		"cordon, by the node":      {m{"cordon": m{"node": "prod-1"}}, "node prod-1 has the label app.kubernetes.io/environment=production"},
		"mesh":                     {mesh(plain, m{"app": "web"}), ""},
		"mesh, by the namespace":   {mesh(live, m{"app": "web"}), inLive},
		"mesh, by the selector":    {mesh(plain, m{"env": "prod"}), "its selector asks for the label env=prod"},
		"litmus":                   {litmus(plain), ""},
		"litmus, by the namespace": {litmus(live), inLive},
	} {
		if p, err := b.plan(t, c.config); err != nil || p.Production != c.want {
			t.Errorf("%s: %q, %v, want %q", name, p.Production, err, c.want)
		}
	}
}

// A pod that somebody makes again is over by itself; one that nobody makes again is not.
func TestOverByItself(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	b.Apply(t, b.Pods(namespace), kubetest.Object(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "namespace": %q, "labels": {"app": "bare"}},
		"spec": {"containers": [{"name": "one", "image": "none"}]}}`, namespace))
	for want, config := range map[bool]m{
		true:  {"namespace": namespace, "delete": m{"selector": "app=web"}},
		false: {"namespace": namespace, "delete": m{"selector": "app=bare"}},
	} {
		if p, err := b.plan(t, config); err != nil || !p.Elsewhere || p.EndsThere != want {
			t.Errorf("%v: %v, %v", config, p.EndsThere, err)
		}
	}
	if p, err := b.plan(t, m{"namespace": namespace, "restart": m{"deployment": "web"}}); err != nil || !p.EndsThere {
		t.Errorf("restart: %v, %v", p.EndsThere, err)
	}
}

// Pods that another fault blocks are refused, whatever else is asked; so is a workload that another fault holds.
func TestHeldByAnother(t *testing.T) {
	b := newBench(t)
	if b == nil {
		return
	}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	theirs := kubetest.Object(t, `{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "belay-other", "namespace": %q,
		"labels": {"belay.dev/fault": "other"}}, "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}}`, namespace)
	b.Apply(t, b.Resource("networking.k8s.io", "v1", "networkpolicies", namespace), theirs)
	patch(t, b.Deployments(namespace), "web", `{"metadata": {"labels": {"belay.dev/fault": "other"}}}`)
	const after = " is held by fault other: end that one first; if it is over, take the label belay.dev/fault away"
	for want, config := range map[string]m{
		"networkpolicy " + namespace + "/belay-other" + after: {"namespace": namespace, "block": m{"selector": "app=web", "partial": true}},
		"deployment " + namespace + "/web" + after:            {"namespace": namespace, "restart": m{"deployment": "web"}},
	} {
		if _, err := b.plan(t, config); err == nil || err.Error() != want {
			t.Errorf("%v\n got %v\nwant %s", config, err, want)
		}
	}
}
