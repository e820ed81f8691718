package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

func namespaceResource() resource { return resource{Version: "v1", Resource: "namespaces"} }

// production says by what objects are known to be production's: a label or an annotation of theirs, or of a namespace that they or
// the fault are in. A namespace that we may not read says nothing.
func (c *cluster) production(ctx context.Context, namespaces []string, objects ...unstructured.Unstructured) (string, error) {
	for _, o := range objects {
		if mark := marked(o); mark != "" {
			return fmt.Sprintf("%s %s has the %s", strings.ToLower(o.GetKind()), path(o.GetNamespace(), o.GetName()), mark), nil
		}
		namespaces = append(namespaces, o.GetNamespace())
	}
	slices.Sort(namespaces)
	for _, name := range slices.Compact(namespaces) {
		if name == "" {
			continue
		}
		o, err := c.Resource(namespaceResource()).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", c.explain(err)
		}
		if mark := marked(*o); mark != "" {
			return "namespace " + name + " has the " + mark, nil
		}
	}
	return "", nil
}

func marked(o unstructured.Unstructured) string {
	if mark := fault.ProductionMark(o.GetLabels()); mark != "" {
		return "label " + mark
	}
	if mark := fault.ProductionMark(o.GetAnnotations()); mark != "" {
		return "annotation " + mark
	}
	return ""
}

// aimed says by what the pods are known to be production's that a selector of somebody else's tool aims at: by the selector
// itself, by the pods, or by their namespaces. Pods that we may not list say nothing.
func (c *cluster) aimed(ctx context.Context, namespaces []string, labels map[string]string) (string, error) {
	if mark := fault.ProductionMark(labels); mark != "" {
		return "its selector asks for the label " + mark, nil
	}
	var pods []unstructured.Unstructured
	if len(labels) > 0 {
		for _, namespace := range namespaces {
			selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})
			list, err := c.of(podResource(), namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
			if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
				continue
			}
			if err != nil {
				return "", c.explain(err)
			}
			pods = append(pods, list.Items...)
		}
	}
	return c.production(ctx, namespaces, pods...)
}

// nodeObjects are nodes as the API has them.
func nodeObjects(nodes []node) []unstructured.Unstructured {
	var out []unstructured.Unstructured
	for _, n := range nodes {
		out = append(out, *n.object)
	}
	return out
}
