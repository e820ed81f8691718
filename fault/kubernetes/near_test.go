package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
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
		if tool == c.Here || tool && !strings.Contains(c.Why, "was not asked, because that is on another host or needs a login") ||
			!tool && c.Mechanism != "Kubernetes API at https://192.0.2.1:6443 (not asked)" {
			t.Errorf("%+v", c)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestProgramThatHangs is a program for the credentials that never comes back: a plan is refused all the same, and a look for
// capabilities does not even start it.
func TestProgramThatHangs(t *testing.T) {
	dir := t.TempDir()
	path, started, program := filepath.Join(dir, "config"), filepath.Join(dir, "started"), filepath.Join(dir, "login")
	if err := os.WriteFile(program, []byte("#!/bin/sh\ntouch "+started+"\nexec sleep 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := `{"apiVersion": "v1", "kind": "Config", "current-context": "near", "clusters": [{"name": "near", "cluster": {"server": "https://127.0.0.1:1"}}],
		"contexts": [{"name": "near", "context": {"cluster": "near", "user": "me"}}],
		"users": [{"name": "me", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "` + program + `", "interactiveMode": "Never"}}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := address{Kubernetes{Kubeconfig: path}}.open()
	if err != nil || !c.near() || c.program != program {
		t.Fatalf("%+v, %v", c, err)
	}
	t.Setenv("KUBECONFIG", path)
	Capabilities(t.Context())
	if _, err := os.Stat(started); err == nil {
		t.Error("the program was started without a question")
	}
	target := (&Kubernetes{Kubeconfig: path, Namespace: "shop", Scale: &Workload{Deployment: "web"}}).Target()
	began := time.Now()
	_, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err == nil || !strings.Contains(err.Error(), "it may wait for a login: log in with kubectl first") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > requestBound+3*time.Second {
		t.Errorf("it took %s", took)
	}
}
