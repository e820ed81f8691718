package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// pods is the fault that deletes or evicts pods. It is one-shot: whoever made them makes others, or does not.
type pods struct {
	address
	which Pods
	evict bool
}

// podsUndo says which pods were to go. There is nothing to put back.
type podsUndo struct {
	Place   place    `json:"place"`
	Victims []victim `json:"victims"`
	// Done says that all were asked to go.
	Done bool `json:"done,omitempty"`
}

func (p pods) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	c, err := p.open()
	if err != nil {
		return fault.Plan{}, err
	}
	namespace, err := p.in(c)
	if err != nil {
		return fault.Plan{}, err
	}
	if err := c.may(ctx, p.rights(namespace)...); err != nil {
		return fault.Plan{}, err
	}
	match, all, err := p.matching(ctx, c, namespace, p.which.Selector)
	if err != nil {
		return fault.Plan{}, err
	}
	chosen, err := p.choose(match, all, namespace, ask.ID)
	if err != nil {
		return fault.Plan{}, err
	}
	verb := "delete"
	if p.evict {
		verb = "evict"
		if err := c.budgets(ctx, namespace, chosen); err != nil {
			return fault.Plan{}, err
		}
	}
	plan := fault.Plan{
		Target: fmt.Sprintf("%s %d of %s %s in %s", verb, len(chosen), count(len(match), "pod"), p.which.Selector, namespace),
		Class:  fault.OneShot, Fidelity: fault.Process, Mechanism: "Kubernetes API: " + verb + " pods", Elsewhere: true,
		Radius: []string{fmt.Sprintf("%d of %d pods that match %s, of %d in namespace %s", len(chosen), len(match), p.which.Selector, all, namespace)},
		Needs:  needs(p.rights(namespace)),
	}
	if plan.Production, err = c.production(ctx, nil, chosen...); err != nil {
		return fault.Plan{}, err
	}
	u := podsUndo{Place: c.place}
	plan.EndsThere = true // who made the pods makes others
	for _, o := range chosen {
		v := victimOf(o)
		u.Victims = append(u.Victims, v)
		plan.Changes = append(plan.Changes, verb+" pod "+v.String())
		plan.Claims = append(plan.Claims, c.claim("pod", v.String()))
		if owner(o) == "" {
			plan.EndsThere = false
			plan.Radius = append(plan.Radius, fmt.Sprintf("pod %s has no controller: nobody makes it again", v))
		}
	}
	plan.Undo, err = json.Marshal(u)
	return plan, err
}

func (p pods) rights(namespace string) []right {
	if p.evict {
		return []right{
			{"list get", podResource(), "", namespace}, {"create", podResource(), "eviction", namespace}, {"list", budgetResource(), "", namespace},
		}
	}
	return []right{{"list get delete", podResource(), "", namespace}}
}

// needs are rights as a plan shows them.
func needs(rights []right) []string {
	var out []string
	for _, r := range rights {
		for _, verb := range strings.Fields(r.verbs) {
			out = append(out, r.phrase(verb))
		}
	}
	return out
}

// claim names an object so that two faults of one host do not take the same.
func (c *cluster) claim(kind, path string) string {
	return "kubernetes " + c.Server + " " + kind + " " + path
}

func victimOf(o unstructured.Unstructured) victim {
	return victim{o.GetNamespace(), o.GetName(), o.GetUID()}
}

// choose is a choice where percent asks for one, and else a refusal of more than max.
func (p pods) choose(match []unstructured.Unstructured, all int, namespace, id string) ([]unstructured.Unstructured, error) {
	if p.which.Percent > 0 {
		seed := p.which.Seed
		if seed == "" {
			seed = id
		}
		return choose(match, p.which.Percent, p.which.Max, seed), nil
	}
	if most := max(1, p.which.Max); len(match) > most {
		return nil, fmt.Errorf("%d of %s in %s match %s, max is %d: raise max, or give percent to hit some of them",
			len(match), count(all, "pod"), namespace, p.which.Selector, most)
	}
	return match, nil
}

func (p pods) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, c, err := readPods(undo)
	if err != nil {
		return err
	}
	for _, v := range u.Victims {
		if p.evict {
			err = c.evict(ctx, v, p.which.Grace, false)
		} else {
			err = c.remove(ctx, v, p.which.Grace)
		}
		if err != nil {
			return c.explain(err)
		}
	}
	u.Done = true
	return record(u, save)
}

func readPods(undo json.RawMessage) (podsUndo, *cluster, error) {
	var u podsUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, nil, fmt.Errorf("read undo: %w", err)
	}
	c, err := u.Place.open()
	return u, c, err
}

// remove deletes a pod, if it is still the one that was planned.
func (c *cluster) remove(ctx context.Context, v victim, grace *int64) error {
	err := c.of(podResource(), v.Namespace).Delete(ctx, v.Name, metav1.DeleteOptions{
		GracePeriodSeconds: grace, Preconditions: &metav1.Preconditions{UID: &v.UID},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return fmt.Errorf("pod %s %w", v, errWentAway)
	}
	return err
}

// Confirm looks at each pod. Of an injection that was cut short, one pod is proof that it happened.
func (p pods) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, c, err := readPods(undo)
	if err != nil {
		return "", err
	}
	gone, ending, err := c.gone(ctx, u.Victims)
	if err != nil {
		return "", err
	}
	if seen := gone + ending; seen == 0 || u.Done && seen < len(u.Victims) {
		return "", fmt.Errorf("%d of %s are still there", len(u.Victims)-seen, count(len(u.Victims), "pod"))
	}
	return goneText(gone, ending, len(u.Victims)), nil
}

func goneText(gone, ending, all int) string {
	if ending == 0 {
		return fmt.Sprintf("%d of %s gone", gone, count(all, "pod"))
	}
	return fmt.Sprintf("%d of %s gone, %d ending", gone, count(all, "pod"), ending)
}

// gone counts the pods that are no more, and those that were told to end and are still at it.
func (c *cluster) gone(ctx context.Context, victims []victim) (gone, ending int, err error) {
	for _, v := range victims {
		o, err := c.of(podResource(), v.Namespace).Get(ctx, v.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && o.GetUID() != v.UID:
			gone++
		case err != nil:
			return 0, 0, c.explain(err)
		case o.GetDeletionTimestamp() != nil:
			ending++
		}
	}
	return gone, ending, nil
}

func (p pods) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (p pods) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
