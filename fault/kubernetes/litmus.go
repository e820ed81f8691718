package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/belay-dr/belay/fault"
)

// litmus is a fault that an experiment of LitmusChaos makes. Its TOTAL_CHAOS_DURATION is the fault's limit.
type litmus struct {
	address
	which Litmus
}

// litmusGroup is the API of LitmusChaos, and litmusDuration the variable that every one of its experiments reads.
const (
	litmusGroup, litmusVersion = "litmuschaos.io", "v1alpha1"
	litmusDuration             = "TOTAL_CHAOS_DURATION"
)

func resultResource() resource {
	return resource{Group: litmusGroup, Version: litmusVersion, Resource: "chaosresults"}
}

func (l litmus) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := l.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := l.namespace(c)
	if err != nil {
		return fault.Plan{}, err
	}
	r, found, err := c.served(ctx, litmusGroup, litmusVersion, "ChaosEngine")
	if err != nil {
		return fault.Plan{}, err
	}
	if !found {
		return fault.Plan{}, fmt.Errorf("%s does not know ChaosEngine of %s: is LitmusChaos installed there", c.name(), litmusGroup)
	}
	rights := []right{{"get list create patch delete", r, "", namespace}, {"list", resultResource(), "", namespace}, {"list", podResource(), "", namespace}}
	if err := c.may(ctx, rights...); err != nil {
		return fault.Plan{}, err
	}
	mark, err := newMark(ask, nil, time.Now())
	if err != nil {
		return fault.Plan{}, err
	}
	u := ownUndo{Place: c.place, Object: owned{Resource: r, Namespace: namespace, Name: mark.object(), Mark: mark}}
	u.Object.Called = "chaosengine " + path(namespace, mark.object())
	spec, experiment, err := l.spec(ask.Limit)
	if err != nil {
		return fault.Plan{}, err
	}
	u.Object.Spec = spec
	manifest, err := l.manifest(u.Object)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := u.Object.rehearse(ctx, c, manifest); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: experiment + " in " + namespace, Class: fault.SelfEnding, Fidelity: litmusFidelity(experiment),
		Mechanism: "LitmusChaos", Elsewhere: true, EndsThere: true, Needs: needs(rights),
		Changes: []string{fmt.Sprintf("make %s with %s as the fault's limit and the label %s", u.Object.Called, litmusDuration, mark.selector())},
		Claims:  []string{c.claim("chaosengine", path(namespace, mark.object()))},
		Radius:  []string{"what the experiment " + experiment + " selects; its ChaosResult stays, as the record of it"},
	}
	namespaces, aim := l.aim()
	if p.Production, err = c.aimed(ctx, append(namespaces, namespace), aim); err != nil {
		return fault.Plan{}, err
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

func (l litmus) namespace(c *cluster) (string, error) {
	if l.which.Namespace != "" {
		l.cfg.Namespace = l.which.Namespace
	}
	info, _ := l.which.Spec["appinfo"].(map[string]any)
	if name, _ := info["appns"].(string); name != "" {
		if err := l.allowed(name); err != nil {
			return "", err
		}
	}
	return l.in(c)
}

// aim are the namespace and the label of the application that it is for: "app=web".
func (l litmus) aim() (namespaces []string, aim map[string]string) {
	info, _ := l.which.Spec["appinfo"].(map[string]any)
	if name, _ := info["appns"].(string); name != "" {
		namespaces = []string{name}
	}
	text, _ := info["applabel"].(string)
	if aim, err := labels.ConvertSelectorToLabelsMap(text); err == nil {
		return namespaces, aim
	}
	return namespaces, nil
}

// litmusFidelity goes by the names that experiments have.
func litmusFidelity(experiment string) fault.Fidelity {
	switch {
	case strings.Contains(experiment, "network"), strings.Contains(experiment, "http"), strings.Contains(experiment, "dns"):
		return fault.Network
	case strings.HasPrefix(experiment, "node-"), strings.HasPrefix(experiment, "ec2-"):
		return fault.Host
	}
	return fault.Process
}

// spec is the config's, active and with the duration in the experiment's environment, and the experiment's name.
func (l litmus) spec(limit time.Duration) (json.RawMessage, string, error) {
	if limit <= 0 {
		limit = time.Minute
	}
	// A copy by JSON: nothing of the config is changed.
	b, err := json.Marshal(l.which.Spec)
	if err != nil {
		return nil, "", err
	}
	var spec map[string]any
	if err := json.Unmarshal(b, &spec); err != nil {
		return nil, "", err
	}
	list, _ := spec["experiments"].([]any)
	if len(list) != 1 {
		return nil, "", fmt.Errorf("give exactly one experiment, not %d", len(list))
	}
	experiment, _ := list[0].(map[string]any)
	name, _ := experiment["name"].(string)
	inner := child(experiment, "spec")
	components := child(inner, "components")
	env, _ := components["env"].([]any)
	env = slices.DeleteFunc(env, func(v any) bool { m, _ := v.(map[string]any); return m["name"] == litmusDuration })
	components["env"] = append(env, map[string]any{"name": litmusDuration, "value": strconv.Itoa(int(math.Ceil(limit.Seconds())))})
	spec["engineState"] = "active"
	b, err = json.Marshal(spec)
	return b, name, err
}

// child is an object inside of another, made when it is missing.
func child(m map[string]any, key string) map[string]any {
	in, ok := m[key].(map[string]any)
	if !ok {
		in = map[string]any{}
		m[key] = in
	}
	return in
}

func (l litmus) manifest(o owned) (*unstructured.Unstructured, error) {
	return o.manifest(litmusGroup+"/"+litmusVersion, "ChaosEngine", o.Spec)
}

// Inject makes the engine and waits until the experiment has injected.
func (l litmus) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readOwn(undo)
	if err != nil {
		return err
	}
	manifest, err := l.manifest(u.Object)
	if err != nil {
		return err
	}
	if u, err = u.make(ctx, c, manifest, save); err != nil {
		return err
	}
	return within(ctx, cmp.Or(l.which.Within, 120), func() error {
		_, err := l.injected(ctx, u, c)
		return err
	})
}

// engineStatus is what the operator says of an engine.
type engineStatus struct {
	Status struct {
		Engine      string `json:"engineStatus"`
		Experiments []struct {
			Name    string `json:"name"`
			Status  string `json:"status"`
			Verdict string `json:"verdict"`
		} `json:"experiments"`
	} `json:"status"`
}

// injected looks at the engine, and at the targets in the result of its experiment.
func (l litmus) injected(ctx context.Context, u ownUndo, c *cluster) (string, error) {
	o, err := u.Object.at(c).Get(ctx, u.Object.Name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read %s: %w", u.Object.Called, c.explain(err))
	}
	var s engineStatus
	if err := decode(o, &s); err != nil {
		return "", fmt.Errorf("read %s: %w", u.Object.Called, err)
	}
	for _, e := range s.Status.Experiments {
		// Any other state is an end, and not the one we wait for.
		if e.Status != "Running" && e.Status != "Waiting for Job Creation" {
			return "", fmt.Errorf("experiment %s is %q with verdict %q: it does not run", e.Name, e.Status, e.Verdict)
		}
	}
	hit, err := l.targets(ctx, u, c)
	if err != nil {
		return "", err
	}
	if s.Status.Engine != "initialized" || len(s.Status.Experiments) == 0 || len(hit) == 0 {
		return "", fmt.Errorf("%w: %s is %q and has injected nothing", errNoEffect, u.Object.Called, s.Status.Engine)
	}
	return fmt.Sprintf("LitmusChaos says that %s has injected into %s", u.Object.Called, strings.Join(hit, ", ")), nil
}

// targets are what the experiment hits now. A result has them in its history, and as annotations while it runs.
func (l litmus) targets(ctx context.Context, u ownUndo, c *cluster) ([]string, error) {
	list, err := c.of(resultResource(), u.Object.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "chaosUID=" + string(u.Object.UID)})
	if err != nil {
		return nil, c.explain(err)
	}
	hit := map[string]bool{}
	for _, r := range list.Items {
		var s struct {
			Status struct {
				History struct {
					Targets []struct {
						Name   string `json:"name"`
						Kind   string `json:"kind"`
						Status string `json:"chaosStatus"`
					} `json:"targets"`
				} `json:"history"`
			} `json:"status"`
		}
		if err := decode(&r, &s); err != nil {
			return nil, fmt.Errorf("read chaosresult %s: %w", r.GetName(), err)
		}
		for _, t := range s.Status.History.Targets {
			if injecting(t.Status) {
				hit[t.Kind+"/"+t.Name] = true
			}
		}
		for target, status := range r.GetAnnotations() {
			if injecting(status) {
				hit[target] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(hit)), nil
}

func injecting(status string) bool {
	return strings.EqualFold(status, "injected") || strings.EqualFold(status, "targeted")
}

func (l litmus) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return "", err
	}
	return l.injected(ctx, u, c)
}

// Revert stops the engine, waits until the operator says that it has stopped, and deletes it.
func (l litmus) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	return u.unmake(ctx, c, save, false, func(ctx context.Context, o *unstructured.Unstructured) error { return l.stop(ctx, u, c, o) })
}

// stop patches the state, and waits. An engine that the operator never saw has no status to wait for.
func (l litmus) stop(ctx context.Context, u ownUndo, c *cluster, o *unstructured.Unstructured) error {
	a := altered{Called: u.Object.Called, Resource: u.Object.Resource, Namespace: u.Object.Namespace, Name: u.Object.Name}
	if o.GetDeletionTimestamp() != nil {
		return nil
	}
	err := a.patch(ctx, c, func(o *unstructured.Unstructured) (map[string]any, error) {
		if state, _, _ := unstructured.NestedString(o.Object, "spec", "engineState"); state == "stop" {
			return nil, nil
		}
		return map[string]any{"metadata": map[string]any{}, "spec": map[string]any{"engineState": "stop"}}, nil
	})
	if err != nil {
		return err
	}
	for {
		now, err := a.at(c).Get(ctx, a.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		var s engineStatus
		if err := decode(now, &s); err != nil {
			return err
		}
		if s.Status.Engine == "" || s.Status.Engine == "stopped" || s.Status.Engine == "completed" {
			return nil
		}
		if wait(ctx, 25*time.Millisecond) != nil {
			return fmt.Errorf("stop %s: it is still %q%s: does the operator of LitmusChaos run", u.Object.Called, s.Status.Engine, finalizers(now))
		}
	}
}

// Residue are the engine, and the pods of its experiment that are still there.
func (l litmus) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, c, err := readOwn(undo)
	if err != nil {
		return nil, err
	}
	left, err := u.residue(ctx, c)
	if err != nil || u.Object.UID == "" {
		return left, err
	}
	list, err := c.of(podResource(), u.Object.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "chaosUID=" + string(u.Object.UID)})
	if err != nil {
		return nil, c.explain(err)
	}
	for _, p := range alive(list.Items) {
		left = append(left, "pod "+path(p.GetNamespace(), p.GetName())+" of the experiment")
	}
	return left, nil
}
