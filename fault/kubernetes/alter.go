package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/belay-dr/belay/fault"
)

// altered is one object that a fault changes and puts back.
type altered struct {
	// Called is how people know it: "deployment shop/api".
	Called    string    `json:"called"`
	Resource  resource  `json:"resource"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
	// Was is the old value, in the form of the fault's kind.
	Was int64 `json:"was,omitempty"`
	// Mark is what is left at the object.
	Mark mark `json:"mark"`
}

// alterUndo is the undo of a fault that changes objects.
type alterUndo struct {
	Place   place     `json:"place"`
	Objects []altered `json:"objects"`
	// Evicted are the pods that a drain drove away. Nobody puts those back.
	Evicted []victim `json:"evicted,omitempty"`
	// Done says that all was injected, and Reverted that all was put back.
	Done     bool `json:"done,omitempty"`
	Reverted bool `json:"reverted,omitempty"`
}

// alteration is what a fault changes in an object, and how to tell. Each answer is a merge patch without metadata.
type alteration interface {
	// set makes the fault.
	set(o *unstructured.Unstructured) (map[string]any, error)
	// changed says why the object is not as set left it, or nothing.
	changed(o *unstructured.Unstructured) string
	// original says that the object is as it was.
	original(o *unstructured.Unstructured, was int64) bool
	// back puts it back.
	back(o *unstructured.Unstructured, was int64) (map[string]any, error)
}

func readAlter(undo json.RawMessage) (alterUndo, *cluster, error) {
	var u alterUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, nil, fmt.Errorf("read undo: %w", err)
	}
	c, err := u.Place.open()
	return u, c, err
}

func (a altered) at(c *cluster) interfaceOf { return c.of(a.Resource, a.Namespace) }

// alter changes all objects of a fault and marks them, each in one request.
func (u alterUndo) alter(ctx context.Context, c *cluster, how alteration) error {
	for _, a := range u.Objects {
		err := a.patch(ctx, c, func(o *unstructured.Unstructured) (map[string]any, error) {
			switch holder := o.GetLabels()[Label]; {
			case o.GetUID() != a.UID:
				return nil, fmt.Errorf("%s was deleted and created again since it was planned", a.Called)
			case holder != "":
				return nil, fmt.Errorf("%s is held by fault %s already", a.Called, holder)
			case !how.original(o, a.Was):
				return nil, fmt.Errorf("%s was changed since it was planned", a.Called)
			}
			patch, err := how.set(o)
			if err != nil {
				return nil, err
			}
			return with(patch, a.Mark.set()), nil
		})
		if err != nil {
			return c.explain(err)
		}
	}
	return nil
}

func with(patch, metadata map[string]any) map[string]any {
	out := maps.Clone(patch)
	if out == nil {
		out = map[string]any{}
	}
	out["metadata"] = metadata
	return out
}

// patch reads the object, lets f decide, and sends what it says on the condition that nobody was faster; else it begins
// again. No patch leaves the object alone.
func (a altered) patch(ctx context.Context, c *cluster, f func(*unstructured.Unstructured) (map[string]any, error)) error {
	for {
		o, err := a.at(c).Get(ctx, a.Name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read %s: %w", a.Called, err)
		}
		p, err := f(o)
		if err != nil || p == nil {
			return err
		}
		metadata, _ := p["metadata"].(map[string]any)
		metadata["resourceVersion"], metadata["uid"] = o.GetResourceVersion(), string(o.GetUID())
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = a.at(c).Patch(ctx, a.Name, types.MergePatchType, b, metav1.PatchOptions{})
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := wait(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

// flight is how long a request of a process that died may still be on its way.
const flight = 300 * time.Millisecond

// restore puts back what still is as the fault left it, and takes the marks away.
func (u alterUndo) restore(ctx context.Context, c *cluster, how alteration, save fault.Save) (fault.Outcome, error) {
	var out fault.Outcome
	if u.Reverted {
		return out, nil
	}
	for _, a := range u.Objects {
		var why string
		err := patiently(ctx, func() (err error) {
			why, err = a.restore(ctx, c, how, u.Done)
			return err
		})
		if err != nil {
			return out, c.explain(err)
		}
		if why != "" {
			out.Superseded = append(out.Superseded, why)
		}
	}
	if len(out.Superseded) == 0 {
		u.Reverted = true
		keep(u, save)
	}
	return out, nil
}

// restore puts one object back, or says why it must not.
func (a altered) restore(ctx context.Context, c *cluster, how alteration, done bool) (superseded string, err error) {
	for end := time.Now().Add(flight); ; {
		touched := false
		err = a.patch(ctx, c, func(o *unstructured.Unstructured) (map[string]any, error) {
			superseded = ""
			marked := a.Mark.on(o)
			touched = done || marked
			switch {
			case o.GetUID() != a.UID:
				touched, superseded = true, a.Called+" was deleted and created again by somebody since"
				return nil, nil
			case !touched, !marked && how.original(o, a.Was):
				return nil, nil
			}
			if superseded = how.changed(o); superseded != "" {
				superseded = a.Called + ": " + superseded
				if marked {
					return with(nil, a.Mark.unset()), nil
				}
				return nil, nil
			}
			p, err := how.back(o, a.Was)
			return with(p, a.Mark.unset()), err
		})
		if apierrors.IsNotFound(err) {
			return a.Called + " was deleted by somebody since", nil
		}
		// Nothing of ours is to be seen, but it is not known that nothing was sent either.
		if err != nil || touched || time.Now().After(end) {
			return superseded, err
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return "", err
		}
	}
}

// residue are the objects that still carry a mark, wherever in the places of the fault they are.
func (u alterUndo) residue(ctx context.Context, c *cluster) ([]string, error) {
	var left []string
	seen := map[string]bool{}
	for _, a := range u.Objects {
		where := a.Resource.String() + a.Namespace
		if seen[where] {
			continue
		}
		seen[where] = true
		list, err := a.at(c).List(ctx, metav1.ListOptions{LabelSelector: a.Mark.selector()})
		if err != nil {
			return nil, c.explain(err)
		}
		for _, o := range list.Items {
			left = append(left, fmt.Sprintf("%s %s is marked with %s", a.Resource.Resource, path(o.GetNamespace(), o.GetName()), a.Mark.selector()))
		}
	}
	return left, nil
}

// path names an object of a namespace, or of none.
func path(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

// keep saves an undo that only makes a later revert smarter. A disk that is full must not keep a fault alive.
func keep(undo any, save fault.Save) {
	if b, err := json.Marshal(undo); err == nil && save != nil {
		_ = save(b)
	}
}

// record saves an undo that must be on disk before more is done.
func record(undo any, save fault.Save) error {
	b, err := json.Marshal(undo)
	if err != nil {
		return err
	}
	return save(b)
}

// alterTarget is what all faults that change objects have in common.
type alterTarget struct{ how alteration }

func (t alterTarget) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readAlter(undo)
	if err != nil {
		return err
	}
	if err := u.alter(ctx, c, t.how); err != nil {
		return err
	}
	u.Done = true
	return record(u, save)
}

func (t alterTarget) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return fault.Outcome{}, err
	}
	return u.restore(ctx, c, t.how, save)
}

func (t alterTarget) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, c, err := readAlter(undo)
	if err != nil {
		return nil, err
	}
	return u.residue(ctx, c)
}

// errNoEffect is wrapped by what Confirm waits for.
var errNoEffect = errors.New("no effect yet")
