package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// interfaceOf is what one kind of things can be done with.
type interfaceOf = dynamic.ResourceInterface

// of is the interface of a resource, in a namespace or in none.
func (c *cluster) of(r resource, namespace string) interfaceOf {
	if namespace == "" {
		return c.Resource(r)
	}
	return c.Resource(r).Namespace(namespace)
}

// victim is a pod that is to go.
type victim struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
}

func (v victim) String() string { return path(v.Namespace, v.Name) }

// alive are the pods of a list that run or will run. Those that have ended, or are ending, are no targets.
func alive(list []unstructured.Unstructured) []unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(list), func(p unstructured.Unstructured) bool {
		phase, _, _ := unstructured.NestedString(p.Object, "status", "phase")
		_, mirror := p.GetAnnotations()["kubernetes.io/config.mirror"]
		return phase == "Succeeded" || phase == "Failed" || p.GetDeletionTimestamp() != nil || mirror
	})
}

// matching are the living pods of a namespace that match, and how many it has in all. It refuses the one that we run in.
func (a address) matching(ctx context.Context, c *cluster, namespace, selector string) (match []unstructured.Unstructured, all int, err error) {
	list, err := c.of(podResource(), namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, 0, c.explain(err)
	}
	wanted, err := labels.Parse(selector)
	if err != nil {
		return nil, 0, fmt.Errorf("read selector: %w", err)
	}
	pods := alive(list.Items)
	for _, p := range pods {
		if wanted.Matches(labels.Set(p.GetLabels())) {
			match = append(match, p)
		}
	}
	if len(match) == 0 {
		return nil, 0, fmt.Errorf("no pod of %d in %s matches %s", len(pods), namespace, selector)
	}
	slices.SortFunc(match, func(a, b unstructured.Unstructured) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return match, len(pods), notOurs(match)
}

// notOurs refuses the pod that we run in.
func notOurs(pods []unstructured.Unstructured) error {
	namespace, name := ownPlace()
	for _, p := range pods {
		if name != "" && p.GetName() == name && p.GetNamespace() == namespace {
			return fmt.Errorf("pod %s is the one that Belay runs in: narrow the selector", path(namespace, name))
		}
	}
	return nil
}

// choose takes as many of the pods as percent and max allow. The seed decides which.
func choose[T any](pods []T, percent, most int, seed string) []T {
	n := max(1, len(pods)*percent/100)
	if most > 0 {
		n = min(n, most)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	out := slices.Clone(pods)
	rand.New(rand.NewPCG(h.Sum64(), 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(n, len(out))]
}

// owner is the controller of an object: "ReplicaSet".
func owner(o unstructured.Unstructured) string {
	for _, r := range o.GetOwnerReferences() {
		if r.Controller != nil && *r.Controller {
			return r.Kind
		}
	}
	return ""
}

// count says "1 pod" or "3 pods".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
