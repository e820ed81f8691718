package docker_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/belay-dr/belay/fault/faulttest/dockertest"
)

// TestClaims keeps a container from faults of its processes: one that is paused could not be given its own clock back.
func TestClaims(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	c, other := e.Run(t, unique("claimed"), dockertest.Options{}), e.Run(t, unique("other"), dockertest.Options{})
	p, err := plan(t, object{"pause": c.Name, "host": e.Host})
	if err != nil {
		t.Fatal(err)
	}
	first := fmt.Sprintf("process %d", c.Inspect(t).State.Pid)
	if !slices.Contains(p.Claims, first) || slices.Contains(p.Claims, fmt.Sprintf("process %d", other.Inspect(t).State.Pid)) {
		t.Errorf("claims %q, want %q and nothing of another container", p.Claims, first)
	}
}
