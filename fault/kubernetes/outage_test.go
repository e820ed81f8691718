package kubernetes

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest/kubetest"
	"github.com/belay-dr/belay/fault/hold"
)

func TestAPIOutage(t *testing.T) {
	t.Parallel()
	c := kubetest.Own(t)
	if c == nil {
		return
	}
	b := &bench{c}
	namespace := b.namespace(t)
	b.Workload(t, "Deployment", namespace, "api", 2, "")
	config := m{"namespace": namespace, "scale": m{"deployment": "api"}}
	replicas := func(want int64) {
		t.Helper()
		if n := number(get(b.Deployments(namespace), "api"), "spec", "replicas"); n != want {
			t.Fatalf("%d replicas, want %d", n, want)
		}
	}

	// The API server dies while a fault is held, and comes back.
	h, _ := b.mustHold(t, config)
	b.KillAPI(t)
	b.StartAPI(t)
	release(t, h, fault.Reverted, "")
	b.Ready(t, namespace, "app=api", 2)

	// It is away when the fault is to end: that is said, nothing is claimed, and a later sweep takes the fault back.
	h, dir := b.mustHold(t, config)
	b.KillAPI(t)
	began := time.Now()
	st, err := h.Release(t.Context())
	t.Logf("given up after %s", time.Since(began))
	if !errors.Is(err, fault.ErrNotReverted) || st.State != fault.Failed || !strings.Contains(st.Error, "reach Kubernetes at https://127.0.0.1:") {
		t.Errorf("state %s (%s), %v", st.State, st.Error, err)
	}
	b.StartAPI(t)
	// The reaper may still be trying, and be faster than the sweep.
	if _, err := hold.Sweep(t.Context(), Kinds(), dir); err != nil {
		t.Errorf("sweep: %v", err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		st, _, err := hold.Find(dir, st.ID)
		if err != nil || time.Now().After(end) {
			t.Fatalf("after the sweep: %s (%s), %v", st.State, st.Error, err)
		}
		if st.State == fault.Reverted {
			break
		}
		_, _ = hold.Sweep(t.Context(), Kinds(), dir)
	}
	replicas(2)
}
