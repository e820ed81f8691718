package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/belay-dr/belay/fault/faulttest"
)

// The controllers below do with the pods of a test what those of Chaos Mesh and LitmusChaos are documented to do with the
// API: finalizers, conditions, records, results. Their chaos is an annotation, which is what the eyes of the tests look at.

// chaotic is the annotation of a pod that is hit.
const chaotic = "test/chaos"

// installChaos installs the definitions and runs the controllers until the test ends.
func (b *bench) installChaos(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("testdata/crds.json")
	if err != nil {
		t.Fatal(err)
	}
	var crds []json.RawMessage
	if err := json.Unmarshal(text, &crds); err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds {
		b.CRD(t, string(crd))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			b.each(ctx, "chaos-mesh.org", "networkchaos", b.mesh)
			b.each(ctx, "chaos-mesh.org", "podchaos", b.mesh)
			b.each(ctx, "litmuschaos.io", "chaosengines", b.operator)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// each reconciles all objects of a kind. A conflict, or an object that has gone, is for the next round.
func (b *bench) each(ctx context.Context, group, resource string, do func(context.Context, dynamic.ResourceInterface, *unstructured.Unstructured)) {
	list, err := b.Resource(group, "v1alpha1", resource, "").List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	for _, o := range list.Items {
		do(ctx, b.Resource(group, "v1alpha1", resource, o.GetNamespace()), &o)
	}
}

func update(ctx context.Context, at dynamic.ResourceInterface, o *unstructured.Unstructured) {
	_, _ = at.Update(ctx, o, metav1.UpdateOptions{})
}

func set(o *unstructured.Unstructured, v any, path ...string) {
	b, _ := json.Marshal(v)
	var plain any
	_ = json.Unmarshal(b, &plain)
	if err := unstructured.SetNestedField(o.Object, plain, path...); err != nil {
		panic(err)
	}
}

// hit marks a pod, or takes the mark away.
func (b *bench) hit(ctx context.Context, namespace, name string, on bool) {
	value := "null"
	if on {
		value = `"on"`
	}
	_, _ = b.Pods(namespace).Patch(ctx, name, types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"annotations": {%q: %s}}}`, chaotic, value), metav1.PatchOptions{})
}

type meshRecord struct {
	ID             string `json:"id"`
	SelectorKey    string `json:"selectorKey"`
	Phase          string `json:"phase"`
	InjectedCount  int    `json:"injectedCount"`
	RecoveredCount int    `json:"recoveredCount"`
}

// mesh is one round of Chaos Mesh for one chaos.
func (b *bench) mesh(ctx context.Context, at dynamic.ResourceInterface, o *unstructured.Unstructured) {
	deleted := o.GetDeletionTimestamp() != nil
	if !deleted && !slices.Contains(o.GetFinalizers(), "chaos-mesh/records") {
		o.SetFinalizers(append(o.GetFinalizers(), "chaos-mesh/records"))
		update(ctx, at, o)
		return
	}
	labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector", "labelSelectors")
	duration, _, _ := unstructured.NestedString(o.Object, "spec", "duration")
	limit, _ := time.ParseDuration(duration)
	phase, want := "Injected", "Run"
	// The creation time has whole seconds only.
	if deleted || time.Since(o.GetCreationTimestamp().Time) > limit+time.Second {
		phase, want = "Not Injected", "Stop"
	}
	var selector []string
	for k, v := range labels {
		selector = append(selector, k+"="+v)
	}
	pods, err := b.Pods(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: strings.Join(selector, ",")})
	if err != nil {
		return
	}
	var records []meshRecord
	stuck := labels["app"] == "stuck" && deleted
	for _, p := range pods.Items {
		if stuck {
			phase = "Injected"
		} else {
			b.hit(ctx, o.GetNamespace(), p.GetName(), phase == "Injected")
		}
		records = append(records, meshRecord{ID: p.GetNamespace() + "/" + p.GetName(), SelectorKey: ".", Phase: phase})
	}
	if deleted && !stuck {
		o.SetFinalizers(nil)
	}
	// As the real one: a chaos without targets is called all injected and all recovered.
	set(o, map[string]any{
		"experiment": map[string]any{"desiredPhase": want, "containerRecords": records},
		"conditions": []map[string]any{
			{"type": "Selected", "status": word(len(records) > 0)},
			{"type": "Paused", "status": "False"},
			{"type": "AllInjected", "status": word(len(records) == 0 || phase == "Injected")},
			{"type": "AllRecovered", "status": word(len(records) == 0 || phase != "Injected")},
		},
	}, "status")
	if len(records) == 0 {
		unstructured.RemoveNestedField(o.Object, "status", "experiment", "containerRecords")
	}
	update(ctx, at, o)
}

func word(is bool) string {
	if is {
		return "True"
	}
	return "False"
}

// operator is one round of the operator of LitmusChaos, its runner and its experiment for one engine.
func (b *bench) operator(ctx context.Context, at dynamic.ResourceInterface, o *unstructured.Unstructured) {
	state, _, _ := unstructured.NestedString(o.Object, "spec", "engineState")
	status, _, _ := unstructured.NestedString(o.Object, "status", "engineStatus")
	label, _, _ := unstructured.NestedString(o.Object, "spec", "appinfo", "applabel")
	runner := o.GetName() + "-runner"
	pods, err := b.Pods(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return
	}
	switch {
	case o.GetDeletionTimestamp() != nil || state == "stop" && status == "initialized":
		for _, p := range pods.Items {
			b.hit(ctx, o.GetNamespace(), p.GetName(), false)
		}
		_ = b.Pods(o.GetNamespace()).Delete(ctx, runner, metav1.DeleteOptions{})
		o.SetFinalizers(nil)
		set(o, map[string]any{"engineStatus": "stopped", "experiments": []any{map[string]any{"name": "pod-x", "status": "Forcefully Aborted", "verdict": "Stopped"}}}, "status")
		update(ctx, at, o)
	case status == "":
		o.SetFinalizers([]string{"chaosengine.litmuschaos.io/finalizer"})
		set(o, map[string]any{"engineStatus": "initialized", "experiments": []any{}}, "status")
		update(ctx, at, o)
	case state == "active" && status == "initialized":
		if experiments, _, _ := unstructured.NestedSlice(o.Object, "status", "experiments"); len(experiments) > 0 {
			return
		}
		meta := map[string]any{"name": runner, "namespace": o.GetNamespace(), "labels": map[string]any{"chaosUID": string(o.GetUID())}}
		pod := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": map[string]any{
			"terminationGracePeriodSeconds": int64(0), "containers": []any{map[string]any{"name": "chaos-runner", "image": "none"}},
			"nodeName": "a1", // not a node that another test drains
		}}}
		_, _ = b.Pods(o.GetNamespace()).Create(ctx, pod, metav1.CreateOptions{})
		for _, p := range pods.Items {
			b.hit(ctx, o.GetNamespace(), p.GetName(), true)
			result := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "litmuschaos.io/v1alpha1", "kind": "ChaosResult", "metadata": map[string]any{
					"name": o.GetName() + "-pod-x", "labels": map[string]any{"chaosUID": string(o.GetUID())},
					"annotations": map[string]any{"pod/" + p.GetName(): "injected"},
				}, "spec": map[string]any{"engine": o.GetName(), "experiment": "pod-x"},
			}}
			_, _ = b.Resource("litmuschaos.io", "v1alpha1", "chaosresults", o.GetNamespace()).Create(ctx, result, metav1.CreateOptions{})
		}
		set(o, []any{map[string]any{"name": "pod-x", "status": "Running", "verdict": "Awaited"}}, "status", "experiments")
		update(ctx, at, o)
	}
}

// struck says whether any pod of a namespace is hit.
func (b *bench) struck(namespace string) bool {
	list, err := b.Pods(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "app"})
	return err == nil && slices.ContainsFunc(list.Items, func(p unstructured.Unstructured) bool { return p.GetAnnotations()[chaotic] != "" })
}

func (b *bench) chaosRig(t testing.TB, group, resource string, config func(namespace string) map[string]any) faulttest.Rig {
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "web", 1, "")
	at := b.Resource(group, "v1alpha1", resource, namespace)
	r := b.rig(t, config(namespace))
	r.Broken = func() bool { return b.struck(namespace) }
	r.Change = func() { b.remove(t, at, "belay-f1") }
	r.Intact = func() bool { return !r.Broken() }
	r.Remove = r.Change
	return r
}

func (b *bench) meshRig(t testing.TB) faulttest.Rig {
	return b.chaosRig(t, "chaos-mesh.org", "networkchaos", func(namespace string) map[string]any {
		return map[string]any{"namespace": namespace, "chaos_mesh": map[string]any{"kind": "NetworkChaos", "spec": networkDelay("web")}}
	})
}

func networkDelay(app string) map[string]any {
	return map[string]any{
		"action": "delay", "mode": "all", "delay": map[string]any{"latency": "100ms"},
		"selector": map[string]any{"labelSelectors": map[string]any{"app": app}},
	}
}

func (b *bench) litmusRig(t testing.TB) faulttest.Rig {
	return b.chaosRig(t, "litmuschaos.io", "chaosengines", func(namespace string) map[string]any {
		return map[string]any{"namespace": namespace, "litmus": map[string]any{"spec": map[string]any{
			"appinfo":             map[string]any{"appns": namespace, "applabel": "app=web", "appkind": "deployment"},
			"chaosServiceAccount": "default", "experiments": []any{map[string]any{"name": "pod-x"}},
		}}}
	})
}
