package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// resource is one kind of things in the API.
type resource = schema.GroupVersionResource

// The resources that the faults of this package know by name.
func podResource() resource  { return resource{Version: "v1", Resource: "pods"} }
func nodeResource() resource { return resource{Version: "v1", Resource: "nodes"} }
func policyResource() resource {
	return resource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
}

func budgetResource() resource {
	return resource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
}

func reviewResource() resource {
	return resource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
}

// right is one thing that we must be allowed to do: verbs on a resource, "pods/eviction" for a part of one.
type right struct {
	verbs     string
	resource  resource
	part      string
	namespace string
}

// may asks the API server, all at once, whether we may do all this, and refuses with what is missing.
func (c *cluster) may(ctx context.Context, rights ...right) error {
	var wanted []string
	var all errgroup.Group
	var denied sync.Map
	for _, r := range rights {
		for _, verb := range strings.Fields(r.verbs) {
			wanted = append(wanted, r.phrase(verb))
			all.Go(func() error {
				ok, err := c.allowed(ctx, r, verb)
				if !ok {
					denied.Store(r.phrase(verb), true)
				}
				return err
			})
		}
	}
	if err := all.Wait(); err != nil {
		return c.explain(err)
	}
	missing := slices.DeleteFunc(wanted, func(w string) bool { _, is := denied.Load(w); return !is })
	if len(missing) > 0 {
		return fmt.Errorf("not allowed at %s to %s: ask for a role that has this; kubectl auth can-i shows it", c.name(), strings.Join(missing, ", "))
	}
	return nil
}

func (c *cluster) allowed(ctx context.Context, r right, verb string) (bool, error) {
	answer, err := c.Resource(reviewResource()).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": verb, "group": r.resource.Group, "version": r.resource.Version, "resource": r.resource.Resource,
			"subresource": r.part, "namespace": r.namespace,
		}},
	}}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	ok, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	return ok, err
}

func (r right) phrase(verb string) string {
	what := r.resource.Resource
	if r.part != "" {
		what += "/" + r.part
	}
	if r.namespace == "" {
		return verb + " " + what
	}
	return verb + " " + what + " in " + r.namespace
}

// served is the resource of a kind, as the API server lists it. None is found when its definition is not installed.
func (c *cluster) served(ctx context.Context, group, version, kind string) (resource, bool, error) {
	var list struct {
		Resources []struct {
			Name string `json:"name"`
			Kind string `json:"kind"`
		} `json:"resources"`
	}
	found, err := c.get(ctx, "/apis/"+group+"/"+version, &list)
	if err != nil || !found {
		return resource{}, false, err
	}
	for _, r := range list.Resources {
		if r.Kind == kind && !strings.Contains(r.Name, "/") {
			return resource{Group: group, Version: version, Resource: r.Name}, true, nil
		}
	}
	return resource{}, false, nil
}

// get reads what is not an object, such as the list of resources.
func (c *cluster) get(ctx context.Context, path string, v any) (found bool, err error) {
	base := strings.TrimSuffix(c.Server, "/")
	if !strings.Contains(base, "://") {
		base = "https://" + base
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
	if err != nil {
		return false, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return false, c.explain(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return false, c.explain(err)
	case answer.StatusCode == 404:
		return false, nil
	case answer.StatusCode != 200:
		return false, fmt.Errorf("read %s: %s", path, answer.Status)
	}
	return true, json.Unmarshal(b, v)
}
