package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCapabilitiesAskNobody far away: a cluster on another host is named and not asked.
func TestCapabilitiesAskNobody(t *testing.T) {
	for server, near := range map[string]bool{
		"https://127.0.0.1:6443": true, "https://localhost:6443": true, "127.0.0.1:6443": true, "https://[::1]:6443": true,
		"https://192.0.2.1:6443": false, "https://k8s.example.test": false, "": false,
	} {
		if got := (place{Server: server}).near(); got != near {
			t.Errorf("%s: %v", server, got)
		}
	}
	path := filepath.Join(t.TempDir(), "config")
	config := `{"apiVersion": "v1", "kind": "Config", "current-context": "far", "clusters": [{"name": "far", "cluster": {"server": "https://192.0.2.1:6443"}}],
		"contexts": [{"name": "far", "context": {"cluster": "far", "user": "me"}}], "users": [{"name": "me", "user": {"token": "x"}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	began := time.Now()
	for _, c := range Capabilities(t.Context()) {
		tool := c.Fault == "kubernetes.chaos_mesh" || c.Fault == "kubernetes.litmus"
		if tool == c.Here || tool && !strings.Contains(c.Why, "was not asked, because that is on another host") ||
			!tool && c.Mechanism != "Kubernetes API at https://192.0.2.1:6443 (not asked)" {
			t.Errorf("%+v", c)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
