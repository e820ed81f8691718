package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// scale is the fault that sets a workload's replicas to zero, and back.
type scale struct {
	address
	alterTarget
	which Workload
}

func (s scale) rights(r resource, namespace string) []right {
	return []right{{"get list patch", r, "", namespace}, {"list", podResource(), "", namespace}}
}

func (s scale) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := s.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := s.in(c)
	if err != nil {
		return fault.Plan{}, err
	}
	r, kind, name := s.which.named()
	if err := c.may(ctx, s.rights(r, namespace)...); err != nil {
		return fault.Plan{}, err
	}
	w, err := c.workload(ctx, r, kind, namespace, name)
	if err != nil {
		return fault.Plan{}, err
	}
	living, err := c.pods(ctx, w)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := s.safe(w, living); err != nil {
		return fault.Plan{}, err
	}
	m, err := newMark(ask, w.replicas(), time.Now())
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: "scale " + w.called + " to zero", Class: fault.Restore, Fidelity: fault.Process,
		Mechanism: "Kubernetes API: spec.replicas", Elsewhere: true, Needs: needs(s.rights(r, namespace)),
		Changes: []string{
			fmt.Sprintf("set spec.replicas of %s from %d to 0", w.called, w.replicas()),
			fmt.Sprintf("label it %s and annotate it %s with the old number", m.selector(), m.annotation()),
		},
		Claims: []string{c.claim(kind, path(namespace, name))},
		Radius: []string{fmt.Sprintf("all %s of %s", count(len(living), "pod"), w.called)},
	}
	if p.Production, err = c.production(ctx, nil, append(living, *w.object)...); err != nil {
		return fault.Plan{}, err
	}
	if kind == "deployment" || kind == "statefulset" {
		p.Radius = append(p.Radius, "an autoscaler does nothing while the replicas are 0")
	}
	p.Undo, err = json.Marshal(alterUndo{Place: c.place, Objects: []altered{{
		Called: w.called, Resource: r, Namespace: namespace, Name: name, UID: w.object.GetUID(), Was: w.replicas(), Mark: m,
	}}})
	return p, err
}

// safe refuses what has nothing to lose, too much, or us.
func (s scale) safe(w workload, living []unstructured.Unstructured) error {
	switch {
	case w.replicas() == 0:
		return fmt.Errorf("%s has 0 replicas already", w.called)
	case len(living) == 0:
		return fmt.Errorf("%s wants %s and has none: there is nothing to take away", w.called, count(int(w.replicas()), "pod"))
	case s.which.Max > 0 && len(living) > s.which.Max:
		return fmt.Errorf("%s has %s, max is %d: raise max if all are meant", w.called, count(len(living), "pod"), s.which.Max)
	}
	if err := notOurs(living); err != nil {
		return err
	}
	return free(w.called, w.object)
}

// Confirm looks at what the controller made of it, and at the pods themselves.
func (s scale) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return "", err
	}
	a := u.Objects[0]
	_, kind, _ := s.which.named()
	w, err := c.workload(ctx, a.Resource, kind, a.Namespace, a.Name)
	if err != nil {
		return "", err
	}
	living, err := c.pods(ctx, w)
	switch {
	case err != nil:
		return "", err
	case w.replicas() != 0:
		return "", fmt.Errorf("%s wants %s again", w.called, count(int(w.replicas()), "pod"))
	case w.Status.Observed < w.object.GetGeneration() || w.Status.Replicas > 0 || len(living) > 0:
		return "", fmt.Errorf("%w: %s still has %s", errNoEffect, w.called, count(len(living), "pod"))
	}
	return fmt.Sprintf("%s has 0 of %s", w.called, count(int(a.Was), "pod")), nil
}

// toZero is what scale changes.
type toZero struct{}

func (toZero) set(*unstructured.Unstructured) (map[string]any, error) {
	return map[string]any{"spec": map[string]any{"replicas": 0}}, nil
}

func replicasOf(o *unstructured.Unstructured) int64 {
	if n, found, err := unstructured.NestedInt64(o.Object, "spec", "replicas"); err == nil && found {
		return n
	}
	return 1
}

func (toZero) changed(o *unstructured.Unstructured) string {
	if n := replicasOf(o); n != 0 {
		return fmt.Sprintf("somebody scaled it to %d since", n)
	}
	return ""
}

func (toZero) original(o *unstructured.Unstructured, was int64) bool { return replicasOf(o) == was }

func (toZero) back(_ *unstructured.Unstructured, was int64) (map[string]any, error) {
	return map[string]any{"spec": map[string]any{"replicas": was}}, nil
}
