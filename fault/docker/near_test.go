package docker

import (
	"strings"
	"testing"
	"time"
)

// TestCapabilitiesAskNobody far away: an engine on another host is named and not asked.
func TestCapabilitiesAskNobody(t *testing.T) {
	for host, near := range map[string]bool{
		"unix:///var/run/docker.sock": true, "tcp://127.0.0.1:2375": true, "tcp://localhost:2375": true, "tcp://[::1]:2375": true,
		"tcp://192.0.2.1:2375": false, "tcp://docker.example.test:2376": false, "ssh://docker.example.test": false,
	} {
		if got := (address{Host: host}).near(); got != near {
			t.Errorf("%s: %v", host, got)
		}
	}
	t.Setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
	began := time.Now()
	for _, c := range Capabilities(t.Context()) {
		inside := c.Fault == "docker.network" || c.Fault == "docker.resource"
		if inside == c.Here || !inside && !strings.HasSuffix(c.Mechanism, "at tcp://192.0.2.1:2375 (not asked)") {
			t.Errorf("%+v", c)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
