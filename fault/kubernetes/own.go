package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/belay-dr/belay/fault"
)

// owned is an object that a fault makes and takes away again.
type owned struct {
	Called    string    `json:"called"`
	Resource  resource  `json:"resource"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid,omitempty"`
	// Spec is what the API server made of ours; another one is somebody else's.
	Spec json.RawMessage `json:"spec,omitempty"`
	Mark mark            `json:"mark"`
}

// ownUndo is the undo of a fault that makes an object.
type ownUndo struct {
	Place  place `json:"place"`
	Object owned `json:"object"`
	// Done says that it was made, Ending that taking it away has begun, and Reverted that it is gone.
	Done     bool `json:"done,omitempty"`
	Ending   bool `json:"ending,omitempty"`
	Reverted bool `json:"reverted,omitempty"`
}

func readOwn(undo json.RawMessage) (ownUndo, *cluster, error) {
	var u ownUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, nil, fmt.Errorf("read undo: %w", err)
	}
	c, err := u.Place.open()
	return u, c, err
}

func (o owned) at(c *cluster) interfaceOf { return c.of(o.Resource, o.Namespace) }

// manifest is the object as it is sent. The spec is read as JSON, so that its numbers are those that the API knows.
func (o owned) manifest(apiVersion, kind string, spec any) (*unstructured.Unstructured, error) {
	b, err := json.Marshal(map[string]any{
		"apiVersion": apiVersion, "kind": kind, "spec": spec,
		"metadata": map[string]any{
			"name": o.Name, "namespace": o.Namespace, "labels": map[string]any{Label: o.Mark.ID},
			"annotations": map[string]any{o.Mark.annotation(): o.Mark.Note},
		},
	})
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	return out, out.UnmarshalJSON(b)
}

// rehearse lets the API server check the object and throw it away: its schema, with no unknown field, and its webhooks.
func (o owned) rehearse(ctx context.Context, c *cluster, manifest *unstructured.Unstructured) error {
	_, err := o.at(c).Create(ctx, manifest, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s is there already", o.Called)
	case err != nil:
		return fmt.Errorf("%s would be refused: %w", o.Called, c.explain(err))
	}
	return nil
}

// make makes the object and saves what the API server made of it.
func (u ownUndo) make(ctx context.Context, c *cluster, manifest *unstructured.Unstructured, save fault.Save) (ownUndo, error) {
	made, err := u.Object.at(c).Create(ctx, manifest, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		return u, fmt.Errorf("make %s: %w", u.Object.Called, c.explain(err))
	}
	u.Done, u.Object.UID = true, made.GetUID()
	if u.Object.Spec, err = json.Marshal(made.Object["spec"]); err != nil {
		return u, err
	}
	return u, record(u, save)
}

// endBound is how long one attempt waits until an object is gone.
const endBound = 15 * time.Second

// unmake takes the object away and waits until it is gone. Before, when it is not nil, is called while the object is there
// and says what must be done first; same says whether the object still is as it was made.
func (u ownUndo) unmake(ctx context.Context, c *cluster, save fault.Save, same bool, before func(context.Context, *unstructured.Unstructured) error) (fault.Outcome, error) {
	if u.Reverted {
		return fault.Outcome{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, endBound)
	defer cancel()
	var o *unstructured.Unstructured
	err := patiently(ctx, func() (err error) {
		o, err = u.find(ctx, c)
		return err
	})
	switch {
	case err != nil:
		return fault.Outcome{}, c.explain(err)
	case o == nil && u.Done && !u.Ending:
		return fault.Outcome{Superseded: []string{u.Object.Called + " was deleted by somebody since"}}, nil
	case o == nil:
		return fault.Outcome{}, nil
	case same && u.Done && u.changed(o):
		why := u.Object.Called + " was changed by somebody since, and is theirs now"
		return fault.Outcome{Superseded: []string{why}}, u.disown(ctx, c)
	}
	u.Ending = true
	keep(u, save)
	if before != nil {
		if err := before(ctx, o); err != nil {
			return fault.Outcome{}, c.explain(err)
		}
	}
	if err := u.away(ctx, c, o.GetUID()); err != nil {
		return fault.Outcome{}, err
	}
	u.Reverted = true
	keep(u, save)
	return fault.Outcome{}, nil
}

// find is the object, if there is one with our mark. Where it is not known that it was made, it may still be on its way.
func (u ownUndo) find(ctx context.Context, c *cluster) (*unstructured.Unstructured, error) {
	for end := time.Now().Add(flight); ; {
		o, err := u.Object.at(c).Get(ctx, u.Object.Name, metav1.GetOptions{})
		if err == nil && u.Object.Mark.on(o) {
			return o, nil
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("read %s: %w", u.Object.Called, err)
		}
		if u.Done || time.Now().After(end) {
			return nil, nil
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func (u ownUndo) changed(o *unstructured.Unstructured) bool {
	now, err := json.Marshal(o.Object["spec"])
	return err == nil && string(now) != string(u.Object.Spec)
}

// disown takes our marks from an object that is somebody else's now.
func (u ownUndo) disown(ctx context.Context, c *cluster) error {
	a := altered{Called: u.Object.Called, Resource: u.Object.Resource, Namespace: u.Object.Namespace, Name: u.Object.Name}
	return a.patch(ctx, c, func(*unstructured.Unstructured) (map[string]any, error) { return with(nil, u.Object.Mark.unset()), nil })
}

// away deletes the object and waits until it is gone. Finalizers are somebody's work that is not done: they are never
// removed, only reported.
func (u ownUndo) away(ctx context.Context, c *cluster, uid types.UID) error {
	err := patiently(ctx, func() error {
		err := u.Object.at(c).Delete(ctx, u.Object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", u.Object.Called, c.explain(err))
	}
	var last *unstructured.Unstructured
	for {
		o, err := u.Object.at(c).Get(ctx, u.Object.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && o.GetUID() != uid {
			return nil
		}
		if err == nil {
			last = o
		}
		if wait(ctx, 25*time.Millisecond) != nil {
			return stuckError(u.Object.Called, last, err)
		}
	}
}

// stuckError says by what an object is kept.
func stuckError(called string, o *unstructured.Unstructured, err error) error {
	if o == nil {
		return fmt.Errorf("delete %s: it is not known whether it is gone: %w", called, err)
	}
	return fmt.Errorf("delete %s: still there after %s%s: what set them must finish its work; Belay never removes one",
		called, endBound, finalizers(o))
}

// finalizers says what an object waits for.
func finalizers(o *unstructured.Unstructured) string {
	if len(o.GetFinalizers()) == 0 {
		return ""
	}
	return ", with the finalizers " + strings.Join(o.GetFinalizers(), ", ")
}

// residue are the objects with our mark in the namespace.
func (u ownUndo) residue(ctx context.Context, c *cluster) ([]string, error) {
	list, err := u.Object.at(c).List(ctx, metav1.ListOptions{LabelSelector: u.Object.Mark.selector()})
	if apierrors.IsNotFound(err) {
		return nil, nil // its definition is gone, and all objects with it
	}
	if err != nil {
		return nil, c.explain(err)
	}
	var left []string
	for _, o := range list.Items {
		left = append(left, fmt.Sprintf("%s %s%s", u.Object.Resource.Resource, path(o.GetNamespace(), o.GetName()), finalizers(&o)))
	}
	return left, nil
}
