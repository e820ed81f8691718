package kubetest

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/belay-dr/belay/fault"
)

func TestMain(m *testing.M) { Main(m, fault.Kinds{}, fault.Workers{}) }

func TestCluster(t *testing.T) {
	began := time.Now()
	c := Start(t)
	if c == nil {
		return
	}
	t.Logf("up after %s", time.Since(began))
	c.Namespace(t, "shop")
	began = time.Now()
	c.Workload(t, "Deployment", "shop", "web", 3, "")
	t.Logf("three pods ready after %s", time.Since(began))
	pods, err := c.Pods("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 3 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	began = time.Now()
	if err := c.Pods("shop").Delete(t.Context(), pods.Items[0].GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Until(t, "another pod", func() error {
		c.Ready(t, "shop", "app=web", 3)
		_, err := c.Pods("shop").Get(context.Background(), pods.Items[0].GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return context.DeadlineExceeded
	})
	t.Logf("recovered after %s", time.Since(began))
	began = time.Now()
	c.KillAPI(t)
	if _, err := c.Pods("shop").List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("a dead API server answers")
	}
	c.StartAPI(t)
	t.Logf("API server killed and back after %s", time.Since(began))
	c.Ready(t, "shop", "app=web", 3)
}

// Each user may do what its name says.
func TestUsers(t *testing.T) {
	c := Start(t)
	if c == nil {
		return
	}
	for user, may := range map[string]func(error) bool{
		Admin: func(err error) bool { return err == nil }, Viewer: apierrors.IsForbidden, Stranger: apierrors.IsUnauthorized,
	} {
		config, err := c.Config(user)
		if err != nil {
			t.Fatal(err)
		}
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		n := Object(t, `{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "of-%s"}}`, user)
		_, err = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Create(t.Context(), n, metav1.CreateOptions{})
		if !may(err) {
			t.Errorf("%s makes a namespace: %v", user, err)
		}
	}
}
