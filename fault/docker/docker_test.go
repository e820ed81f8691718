package docker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/belay-dr/belay/fault/docker"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/dockertest"
	"github.com/belay-dr/belay/fault/resource"
)

func TestMain(m *testing.M) { dockertest.Main(m, docker.Kinds(), resource.Workers()) }

type object = map[string]any

// number makes names unlike any other.
var number atomic.Int64

func unique(base string) string { return fmt.Sprintf("%s-%d", base, number.Add(1)) }

func TestConformance(t *testing.T) {
	e := dockertest.Start(t)
	if e == nil {
		return
	}
	rigs := map[string]func(testing.TB, *dockertest.Engine) faulttest.Rig{
		"stop": stopRig, "pause": pauseRig, "disconnect": disconnectRig, "kill": killRig,
		"network": networkRig, "resource": resourceRig,
	}
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, func(t testing.TB) faulttest.Rig { return rig(t, e) })
		})
	}
}

func spec(t testing.TB, e *dockertest.Engine, kind string, config object) (r faulttest.Rig) {
	r.Kinds = docker.Kinds()
	r.Spec = faulttest.Spec(t, object{"docker": object{kind: config, "host": e.Host}})
	r.Within = 5 * time.Second
	return r
}

// begin starts a container as a recovery would, by hand.
func begin(t testing.TB, e *dockertest.Engine, id string) {
	if _, err := e.Client.ContainerStart(context.Background(), id, client.ContainerStartOptions{}); err != nil {
		t.Errorf("start container: %v", err)
	}
}

// answersSoon gives a container that has just been started the time to answer.
func answersSoon(t testing.TB, c *dockertest.Container) bool {
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if c.Answers() {
			return true
		}
		if i := c.Inspect(t); !i.State.Running || i.State.Paused {
			return false
		}
	}
	return false
}

func stopRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	c := e.Run(t, unique("stop"), dockertest.Options{})
	r := spec(t, e, "stop", object{"containers": []string{c.Name}, "grace": "2s"})
	r.Broken = func() bool { return !answersSoon(t, c) }
	r.Remove = func() { c.Remove(t) }
	started := ""
	r.Change = func() { begin(t, e, c.ID); started = c.Inspect(t).State.StartedAt }
	r.Intact = func() bool { i := c.Inspect(t); return i.State.Running && i.State.StartedAt == started }
	return r
}

func pauseRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	c := e.Run(t, unique("pause"), dockertest.Options{})
	r := spec(t, e, "pause", object{"containers": []string{c.Name}})
	r.Broken = func() bool { return !c.Answers() }
	r.Remove = func() { c.Remove(t) }
	r.Change = func() {
		none := 0
		if _, err := e.Client.ContainerRestart(context.Background(), c.ID, client.ContainerRestartOptions{Timeout: &none}); err != nil {
			t.Errorf("restart: %v", err)
		}
	}
	r.Intact = func() bool { i := c.Inspect(t); return i.State.Running && !i.State.Paused }
	return r
}

func killRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	c := e.Run(t, unique("kill"), dockertest.Options{})
	r := spec(t, e, "kill", object{"containers": []string{c.Name}})
	r.Broken = func() bool { return !c.Answers() }
	r.Remove = func() { c.Remove(t) }
	r.OneShot = true
	return r
}

// disconnectRig takes a container with an alias and a fixed address off a network of its own.
func disconnectRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	n := number.Add(1)
	subnet := fmt.Sprintf("10.%d.%d", 80+n/250, n%250)
	net := unique("net")
	e.Network(t, net, subnet+".0/24")
	c := e.Run(t, unique("disconnect"), dockertest.Options{Network: net, Aliases: []string{"shop"}, Address: subnet + ".9"})
	r := spec(t, e, "disconnect", object{"containers": []string{c.Name}, "network": net})
	there := func() bool {
		if !strings.Contains(c.Addresses(), subnet+".9/24") {
			return false
		}
		on := c.Inspect(t).NetworkSettings.Networks[net]
		return on != nil && slices.Contains(on.Aliases, "shop")
	}
	r.Broken = func() bool { return !there() }
	r.Remove = func() { c.Remove(t) }
	r.Change = func() {
		if _, err := e.Client.NetworkConnect(context.Background(), net, client.NetworkConnectOptions{Container: c.ID}); err != nil {
			t.Errorf("connect: %v", err)
		}
	}
	r.Intact = func() bool { return strings.Contains(c.Addresses(), subnet+".") }
	return r
}

// networkRig cuts one container off from another, inside.
func networkRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	a, b := e.Run(t, unique("from"), dockertest.Options{}), e.Run(t, unique("to"), dockertest.Options{})
	peer := b.Inspect(t).NetworkSettings.Networks["bridge"].IPAddress.String()
	r := spec(t, e, "network", object{"container": a.Name, "partition": object{"to": []string{peer + ":80"}}})
	r.Broken = func() bool { _, err := a.Get(peer, 500*time.Millisecond); return err != nil }
	r.Remove = func() { a.Remove(t) }
	r.KernelEnds = true
	return r
}

// resourceRig lets a container have less processor time.
func resourceRig(t testing.TB, e *dockertest.Engine) faulttest.Rig {
	c := e.Run(t, unique("limited"), dockertest.Options{})
	quota := quotaFile(t, c)
	before := read(t, quota)
	r := spec(t, e, "resource", object{"container": c.Name, "cpu_limit": object{"share": "20%"}})
	r.Broken = func() bool { b, err := os.ReadFile(quota); return err == nil && string(b) != before }
	r.Remove = func() { c.Remove(t) }
	r.Change = func() {
		if err := os.WriteFile(quota, []byte("70000"), 0o600); err != nil {
			t.Error(err)
		}
	}
	r.Intact = func() bool { return strings.HasPrefix(read(t, quota), "70000") }
	return r
}

// quotaFile is where the kernel keeps how much processor time a container has.
func quotaFile(t testing.TB, c *dockertest.Container) string {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/cgroup", c.Inspect(t).State.Pid))) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for _, file := range []string{
			filepath.Join("/sys/fs/cgroup/cpu", part[2], "cpu.cfs_quota_us"), filepath.Join("/sys/fs/cgroup", part[2], "cpu.max"),
		} {
			if _, err := os.Stat(file); err == nil && (part[1] == "" || strings.Contains(part[1], "cpu")) {
				return file
			}
		}
	}
	t.Fatal("the container has no control group for processor time")
	return ""
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
