package docker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/docker"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/dockertest"
)

// TestWrongConfigs are those that no engine has to be asked for.
func TestWrongConfigs(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{}`, "fault docker: give exactly one of kill, stop, pause, restart, disconnect, network and resource"},
		{`{"kill": "a", "pause": "b"}`, "fault docker: give exactly one of kill, stop, pause, restart, disconnect, network and resource"},
		{`{"kill": {}}`, "fault docker: kill: give containers or labels"},
		{`{"kill": {"containers": ["a"], "labels": ["b"]}}`, "fault docker: kill: give containers or labels"},
		{`{"kill": {"labels": ["a"], "percent": 101}}`, "fault docker: kill.percent: must be 1 to 100"},
		{`{"kill": {"containers": ["a"], "percent": 50}}`, "fault docker: kill.percent: is only for labels"},
		{`{"kill": {"labels": ["=b"]}}`, "fault docker: kill.labels[0]: give name=value, or a name"},
		{`{"kill": {"containers": [" "]}}`, "fault docker: kill.containers[0]: is empty"},
		{`{"kill": {"container": "a"}}`, `unknown field "container"`},
		{`{"stop": {"containers": ["a"], "grace": "1h"}}`, `fault docker: stop.grace: "1h": give a time up to 15s, such as 3s`},
		{`{"stop": {"containers": ["a"], "gracee": "1s"}}`, `unknown field "gracee"`},
		{`{"network": {"delay": {"time": "10ms"}}}`, "fault docker: network.container: say which container"},
		{`{"network": {"container": "a", "pid": 5, "delay": {"time": "10ms"}}}`, "fault docker: network: its network is the container's: leave netns, pid and pid_file out"},
		{`{"network": {"container": "a"}}`, "fault docker: network"},
		{`{"resource": {"container": "a"}}`, "fault docker: resource"},
		{`{"resource": {"cpu_limit": {"share": "20%"}}}`, "fault docker: resource.container: say which container"},
	} {
		_, err := docker.Kinds().Decode(fault.Spec{Kind: "docker", Config: json.RawMessage(c.config)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.config, err, c.want)
		}
	}
}

// TestShortForms are those that a playbook may use.
func TestShortForms(t *testing.T) {
	for _, config := range []string{`{"kill": "a"}`, `{"pause": ["a", "b"]}`, `{"stop": "a"}`, `{"disconnect": "a"}`, `{"stop": {"labels": ["a=b"], "grace": "1s"}}`, `{"resource": {"container": "a", "cpu_limit": {"share": "20%"}}}`, `{"resource": {"container": "a", "memory_limit": {"bytes": "64MiB"}}}`} {
		if _, err := docker.Kinds().Decode(fault.Spec{Kind: "docker", Config: json.RawMessage(config)}); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
}

// plan plans a fault.
func plan(t testing.TB, config object) (fault.Plan, error) {
	t.Helper()
	target, err := docker.Kinds().Decode(faulttest.Spec(t, object{"docker": config}))
	if err != nil {
		t.Fatal(err)
	}
	return target.Plan(t.Context(), fault.Ask{ID: "f1"})
}

// TestNoEngine is refused within seconds, whether nobody listens or somebody listens and says nothing.
func TestNoEngine(t *testing.T) {
	silent := filepath.Join(t.TempDir(), "silent")
	l, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, host := range []string{"unix://" + filepath.Join(t.TempDir(), "none"), "unix://" + silent} {
		began := time.Now()
		_, err := plan(t, object{"kill": "a", "host": host})
		if err == nil || !strings.Contains(err.Error(), "no Docker Engine answers at "+host+": start it, let this user use its socket, or say host") {
			t.Errorf("%s: %v", host, err)
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("%s: refused after %s", host, took)
		}
	}
	if _, err := plan(t, object{"kill": "a", "host": "ssh://ops@192.0.2.1"}); err == nil || !strings.Contains(err.Error(), "open Docker at ssh://ops@192.0.2.1: an engine is not reached by ssh: run Belay there, or forward its socket with ssh -L and give that as host") {
		t.Errorf("an engine by ssh: %v", err)
	}
	if _, err := plan(t, object{"network": object{"container": "a", "loss": object{"to": []string{"192.0.2.2"}, "percent": 10}}, "host": "tcp://192.0.2.1:2375"}); err == nil || !strings.Contains(err.Error(), "is on another host") {
		t.Errorf("a fault inside containers of another host: %v", err)
	}
}

// TestRefusals are those of a real engine.
func TestRefusals(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	label := unique("group") + "=x"
	name, value, _ := strings.Cut(label, "=")
	var all []*dockertest.Container
	for range 3 {
		all = append(all, e.Run(t, unique("refuse"), dockertest.Options{Labels: map[string]string{name: value}}))
	}
	ours := e.Run(t, unique("live"), dockertest.Options{Labels: map[string]string{"belay.dev/environment": "production"}})
	for kind, want := range map[string]string{ours.Name: "container " + ours.Name + " has the label belay.dev/environment=production", all[0].Name: ""} {
		if p, err := plan(t, object{"pause": kind, "host": e.Host}); err != nil || p.Production != want {
			t.Errorf("production: %q, %v, want %q", p.Production, err, want)
		}
	}
	gone := e.Run(t, unique("short"), dockertest.Options{Remove: true})
	one := all[0].Name
	stopped := all[2]
	none := 0
	if _, err := e.Client.ContainerStop(context.Background(), stopped.ID, client.ContainerStopOptions{Timeout: &none}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{"kill": "no-such"}, `no container "no-such": docker ps shows them`},
		{object{"kill": stopped.Name}, "does not run (exited)"},
		{object{"kill": object{"labels": []string{"no=such"}}}, "no running container has the labels no=such"},
		{object{"kill": object{"labels": []string{label}}}, "2 containers would be hit and max is 1"},
		{object{"kill": object{"containers": []string{one, all[0].ID}, "max": 2}}, "is named twice"},
		{object{"stop": gone.Name}, "is removed when it stops (--rm)"},
		{object{"disconnect": object{"containers": []string{one}, "network": "moon"}}, "is not on network moon: it is on bridge"},
	} {
		c.config["host"] = e.Host
		if _, err := plan(t, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.config, err, c.want)
		}
	}
	p, err := plan(t, object{"pause": object{"labels": []string{label}, "percent": 50}, "host": e.Host})
	if err != nil || len(p.Changes) != 1 || p.Radius[0] != "1 of 2 containers" || p.Elsewhere {
		t.Errorf("half of two: %+v, %v", p, err)
	}
}

// inject makes a fault in this process and returns how to revert it: as who injected, or as a sweep, which knows only the undo.
func inject(t *testing.T, config object) (fault.Plan, func(sweep bool) fault.Outcome) {
	t.Helper()
	target, err := docker.Kinds().Decode(faulttest.Spec(t, object{"docker": config}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	if seen, err := target.Confirm(t.Context(), undo); err != nil {
		t.Fatalf("confirm: %s, %v", seen, err)
	}
	return p, func(sweep bool) fault.Outcome {
		other := target
		if sweep {
			if other, err = docker.Kinds().Decode(faulttest.Spec(t, object{"docker": config})); err != nil {
				t.Fatal(err)
			}
		}
		out, err := other.Revert(context.Background(), undo, save)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := other.Residue(context.Background(), undo); err != nil || len(left) > 0 {
			t.Errorf("residue: %v, %v", left, err)
		}
		return out
	}
}

// TestRecreated leaves a container alone that has the name of the one that was stopped.
func TestRecreated(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	c := e.Run(t, unique("recreated"), dockertest.Options{})
	_, revert := inject(t, object{"stop": c.Name, "host": e.Host})
	c.Remove(t)
	next := e.Run(t, c.Name, dockertest.Options{})
	started := next.Inspect(t).State.StartedAt
	out := revert(true)
	if len(out.Superseded) != 1 || out.Superseded[0] != fmt.Sprintf("container %s was removed by somebody else since", c.Name) {
		t.Errorf("superseded: %v", out.Superseded)
	}
	if now := next.Inspect(t).State; !now.Running || now.StartedAt != started {
		t.Errorf("the new container: %+v", now)
	}
}

// TestRestartPolicy shows what the plan says: what is ended through the engine its policy does not bring back.
func TestRestartPolicy(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	c := e.Run(t, unique("always"), dockertest.Options{Restart: "always"})
	p, _ := inject(t, object{"kill": c.Name, "host": e.Host})
	if len(p.Radius) != 2 || !strings.Contains(p.Radius[1], "has the restart policy always") {
		t.Errorf("radius: %v", p.Radius)
	}
	// The engine would wait 100ms before it starts it again.
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if i := c.Inspect(t); i.State.Running {
			t.Fatalf("it runs again: %+v", i.State)
		}
	}
}

// TestRestart is seen by the start, and is over at once.
func TestRestart(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	c := e.Run(t, unique("restarted"), dockertest.Options{})
	before := c.Inspect(t).State.StartedAt
	_, revert := inject(t, object{"restart": c.Name, "host": e.Host})
	if out := revert(true); len(out.Superseded) > 0 {
		t.Errorf("superseded: %v", out.Superseded)
	}
	if now := c.Inspect(t).State; !now.Running || now.StartedAt == before {
		t.Errorf("it was not restarted: %+v", now)
	}
}

// TestDelayInside is felt by the container, and not by its neighbour.
func TestDelayInside(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	a, b, peer := e.Run(t, unique("slow"), dockertest.Options{}), e.Run(t, unique("quick"), dockertest.Options{}), e.Run(t, unique("peer"), dockertest.Options{})
	to := peer.Inspect(t).NetworkSettings.Networks["bridge"].IPAddress.String()
	_, revert := inject(t, object{"network": object{"container": a.Name, "delay": object{"to": []string{to}, "time": "100ms"}}, "host": e.Host})
	slow, err := a.Get(to, 5*time.Second)
	if err != nil || slow < 200*time.Millisecond { // a connection and a request, each 100 ms late
		t.Errorf("the container waits %s, %v; want at least 200ms", slow, err)
	}
	quick, err := b.Get(to, 5*time.Second)
	if err != nil || quick > slow/2 {
		t.Errorf("its neighbour waits %s, %v", quick, err)
	}
	t.Logf("100 ms: %s, neighbour %s", slow, quick)
	revert(false)
	if after, err := a.Get(to, 5*time.Second); err != nil || after > slow/2 {
		t.Errorf("afterwards it waits %s, %v", after, err)
	}
}
