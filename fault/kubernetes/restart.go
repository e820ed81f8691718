package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// restart is the fault that restarts the pods of a workload one after the other. It is one-shot.
type restart struct {
	address
	which Workload
}

// restartedAt is the annotation of the pods' template by which kubectl restarts them too.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// restartUndo says when it was restarted. There is nothing to put back.
type restartUndo struct {
	Place  place   `json:"place"`
	Object altered `json:"object"`
	At     string  `json:"at"`
	Done   bool    `json:"done,omitempty"`
}

func (r restart) Plan(ctx context.Context, _ fault.Ask) (fault.Plan, error) {
	c, err := r.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := r.in(c)
	if err != nil {
		return fault.Plan{}, err
	}
	res, kind, name := r.which.named()
	rights := []right{{"get patch", res, "", namespace}, {"list", podResource(), "", namespace}}
	if err := c.may(ctx, rights...); err != nil {
		return fault.Plan{}, err
	}
	w, err := c.workload(ctx, res, kind, namespace, name)
	if err != nil {
		return fault.Plan{}, err
	}
	living, err := c.pods(ctx, w)
	switch {
	case err != nil:
		return fault.Plan{}, err
	case len(living) == 0:
		return fault.Plan{}, fmt.Errorf("%s has no pods: there is nothing to restart", w.called)
	case r.which.Max > 0 && len(living) > r.which.Max:
		return fault.Plan{}, fmt.Errorf("%s has %s, max is %d: raise max if all are meant", w.called, count(len(living), "pod"), r.which.Max)
	case w.Spec.Paused:
		return fault.Plan{}, fmt.Errorf("%s is paused: nothing would be rolled out", w.called)
	}
	if err := notOurs(living); err != nil {
		return fault.Plan{}, err
	}
	if err := free(w.called, w.object); err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{
		Target: "restart " + w.called, Class: fault.OneShot, Fidelity: fault.Process, Mechanism: "Kubernetes API: rollout", Elsewhere: true, EndsThere: true, // a rollout is over by itself
		Changes: []string{"set the annotation " + restartedAt + " in the template of " + w.called},
		Claims:  []string{c.claim(kind, path(namespace, name))},
		Radius:  []string{fmt.Sprintf("all %s of %s, one after the other", count(len(living), "pod"), w.called)},
		Needs:   needs(rights),
	}
	if p.Production, err = c.production(ctx, nil, append(living, *w.object)...); err != nil {
		return fault.Plan{}, err
	}
	p.Undo, err = json.Marshal(restartUndo{
		Place: c.place, At: time.Now().UTC().Format(time.RFC3339Nano),
		Object: altered{Called: w.called, Resource: res, Namespace: namespace, Name: name, UID: w.object.GetUID()},
	})
	return p, err
}

func (r restart) read(undo json.RawMessage) (restartUndo, *cluster, error) {
	var u restartUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, nil, fmt.Errorf("read undo: %w", err)
	}
	c, err := u.Place.open()
	return u, c, err
}

func (r restart) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := r.read(undo)
	if err != nil {
		return err
	}
	err = u.Object.patch(ctx, c, func(o *unstructured.Unstructured) (map[string]any, error) {
		if o.GetUID() != u.Object.UID {
			return nil, fmt.Errorf("%s was deleted and created again since it was planned", u.Object.Called)
		}
		return map[string]any{"metadata": map[string]any{}, "spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{restartedAt: u.At}},
		}}}, nil
	})
	if err != nil {
		return c.explain(err)
	}
	u.Done = true
	return record(u, save)
}

// Confirm waits until the first new pod has been made.
func (r restart) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := r.read(undo)
	if err != nil {
		return "", err
	}
	_, kind, _ := r.which.named()
	w, err := c.workload(ctx, u.Object.Resource, kind, u.Object.Namespace, u.Object.Name)
	if err != nil {
		return "", err
	}
	at, _, _ := unstructured.NestedString(w.object.Object, "spec", "template", "metadata", "annotations", restartedAt)
	if at != u.At {
		return "", fmt.Errorf("%s was not restarted by this fault", w.called)
	}
	updated := w.Status.Updated + w.Status.UpdatedScheduled
	if u.Done && (w.Status.Observed < w.object.GetGeneration() || updated == 0) {
		return "", fmt.Errorf("%w: no pod of %s is a new one", errNoEffect, w.called)
	}
	return fmt.Sprintf("%s is being restarted, %s new", w.called, count(updated, "pod")), nil
}

func (r restart) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (r restart) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
