package docker

import (
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network"
	"github.com/belay-dr/belay/fault/resource"
)

// Docker is the config of a fault in containers: exactly one of the actions.
type Docker struct {
	// Kill ends containers at once.
	Kill *Containers `yaml:"kill,omitempty" json:"kill,omitempty"`
	// Stop ends them in order; they are started again when the fault ends.
	Stop *Stop `yaml:"stop,omitempty" json:"stop,omitempty"`
	// Pause freezes them; they go on when the fault ends.
	Pause *Containers `yaml:"pause,omitempty" json:"pause,omitempty"`
	// Restart ends them and starts them at once.
	Restart *Containers `yaml:"restart,omitempty" json:"restart,omitempty"`
	// Disconnect takes them off a network of the engine; they are connected again when the fault ends.
	Disconnect *Disconnect `yaml:"disconnect,omitempty" json:"disconnect,omitempty"`
	// Network is a fault of the network inside a container.
	Network *Network `yaml:"network,omitempty" json:"network,omitempty"`
	// Resource is a fault of the resources of a container.
	Resource *Resource `yaml:"resource,omitempty" json:"resource,omitempty"`

	// Host is where the engine answers: unix:///var/run/docker.sock. Without it DOCKER_HOST says so, or the usual socket.
	Host string `yaml:"host,omitempty" json:"host,omitempty"`
}

// Containers says which containers: names or IDs, or labels.
type Containers struct {
	// Containers are names or IDs. All of them are hit.
	Containers []string `yaml:"containers,omitempty" json:"containers,omitempty"`
	// Labels choose running containers that have all of them: "app=shop", or "app" with any value.
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty"`
	// Percent is the part of those chosen by labels that is hit, at least one; 0 means all.
	Percent int `yaml:"percent,omitempty" json:"percent,omitempty"`
	// Max is how many containers may be hit; 0 means 1. More is a refusal, not a choice.
	Max int `yaml:"max,omitempty" json:"max,omitempty"`
}

// Stop says which containers are stopped, and how long they get for it.
type Stop struct {
	Containers `yaml:",inline"`
	// Grace is how long a container may take before it is killed: "3s". Without it the engine's own is used, at most 10s.
	Grace string `yaml:"grace,omitempty" json:"grace,omitempty"`
}

// Disconnect says which containers leave which network.
type Disconnect struct {
	Containers `yaml:",inline"`
	// Network is its name or ID. Without it a container must have just one.
	Network string `yaml:"network,omitempty" json:"network,omitempty"`
}

// Network is a fault of the network inside one container.
type Network struct {
	// Container is its name or ID.
	Container       string `yaml:"container" json:"container"`
	network.Network `yaml:",inline"`
}

// Resource is a fault of the resources of one container.
type Resource struct {
	// Container is its name or ID.
	Container         string `yaml:"container" json:"container"`
	resource.Resource `yaml:",inline"`
}

// Short accepts {kill: api} and {kill: [api, worker]}.
func (c *Containers) Short(values []string, _ bool) error {
	c.Containers = values
	c.Max = len(values)
	return nil
}

// UnmarshalJSON accepts the same short forms.
func (c *Containers) UnmarshalJSON(b []byte) error {
	type plain Containers
	return fault.ShortJSON(b, c.Short, (*plain)(c))
}

// UnmarshalJSON accepts the short forms of Containers.
func (s *Stop) UnmarshalJSON(b []byte) error {
	var w struct {
		containers
		Grace string `json:"grace"`
	}
	err := fault.ShortJSON(b, s.Short, &w)
	if len(s.Containers.Containers) == 0 {
		s.Containers, s.Grace = Containers(w.containers), w.Grace
	}
	return err
}

// UnmarshalJSON accepts the short forms of Containers.
func (d *Disconnect) UnmarshalJSON(b []byte) error {
	var w struct {
		containers
		Network string `json:"network"`
	}
	err := fault.ShortJSON(b, d.Short, &w)
	if len(d.Containers.Containers) == 0 {
		d.Containers, d.Network = Containers(w.containers), w.Network
	}
	return err
}

// containers is Containers without its methods.
type containers Containers

// CheckConfig says what is wrong.
func (d *Docker) CheckConfig() map[string]string {
	var wrong []map[string]string
	add := func(there bool, check func() map[string]string) {
		if there {
			wrong = append(wrong, check())
		}
	}
	add(d.Kill != nil, func() map[string]string { return d.Kill.check("kill") })
	add(d.Stop != nil, func() map[string]string { return d.Stop.check() })
	add(d.Pause != nil, func() map[string]string { return d.Pause.check("pause") })
	add(d.Restart != nil, func() map[string]string { return d.Restart.check("restart") })
	add(d.Disconnect != nil, func() map[string]string { return d.Disconnect.check("disconnect") })
	add(d.Network != nil, func() map[string]string { return d.Network.check() })
	add(d.Resource != nil, func() map[string]string { return d.Resource.check() })
	if len(wrong) != 1 {
		return map[string]string{"": "give exactly one of kill, stop, pause, restart, disconnect, network and resource"}
	}
	return wrong[0]
}

// maxContainers is how many containers one fault hits at most.
const maxContainers = 100

func (c *Containers) check(key string) map[string]string {
	switch {
	case (len(c.Containers) == 0) == (len(c.Labels) == 0):
		return map[string]string{key: "give containers or labels"}
	case c.Max < 0 || c.Max > maxContainers:
		return map[string]string{key + ".max": fmt.Sprintf("must be 1 to %d", maxContainers)}
	case c.Percent < 0 || c.Percent > 100:
		return map[string]string{key + ".percent": "must be 1 to 100"}
	case c.Percent > 0 && len(c.Labels) == 0:
		return map[string]string{key + ".percent": "is only for labels"}
	}
	for n, name := range c.Containers {
		if strings.TrimSpace(name) == "" {
			return map[string]string{fmt.Sprintf("%s.containers[%d]", key, n): "is empty"}
		}
	}
	for n, label := range c.Labels {
		if label == "" || strings.HasPrefix(label, "=") {
			return map[string]string{fmt.Sprintf("%s.labels[%d]", key, n): "give name=value, or a name"}
		}
	}
	return nil
}

func (s *Stop) check() map[string]string {
	if s.Grace != "" && !strings.Contains(s.Grace, "${") {
		if d, err := time.ParseDuration(s.Grace); err != nil || d < 0 || d > maxGrace {
			return map[string]string{"stop.grace": fmt.Sprintf("%q: give a time up to %s, such as 3s", s.Grace, maxGrace)}
		}
	}
	return s.Containers.check("stop")
}

// below puts a key before the keys of a config inside.
func below(key string, wrong map[string]string) map[string]string {
	out := map[string]string{}
	for k, why := range wrong {
		out[strings.TrimSuffix(key+"."+k, ".")] = why
	}
	return out
}

func (n *Network) check() map[string]string {
	switch {
	case n.Container == "":
		return map[string]string{"network.container": "say which container"}
	case n.Netns != "" || n.PID != 0 || n.PIDFile != "":
		return map[string]string{"network": "its network is the container's: leave netns, pid and pid_file out"}
	}
	return below("network", n.CheckConfig())
}

func (r *Resource) check() map[string]string {
	if r.Container == "" {
		return map[string]string{"resource.container": "say which container"}
	}
	// The check wants to know whose resources; only the plan can know the process.
	any := *r.Resource.At(anyProcess)
	for _, w := range []struct {
		given, checked *resource.Where
	}{
		{cpu(r.CPULimit), cpu(any.CPULimit)}, {memory(r.MemoryLimit), memory(any.MemoryLimit)}, {disk(r.DiskSlow), disk(any.DiskSlow)},
	} {
		if w.given == nil {
			continue
		}
		if *w.given != (resource.Where{}) {
			return map[string]string{"resource": "its resources are the container's: leave cgroup, pid, pid_file and alone out"}
		}
		w.checked.PID = anyProcess
	}
	return below("resource", any.CheckConfig())
}

// anyProcess stands for the container's.
const anyProcess = 1 << 22

func cpu(c *resource.CPULimit) *resource.Where {
	if c == nil {
		return nil
	}
	return &c.Where
}

func memory(c *resource.MemoryLimit) *resource.Where {
	if c == nil {
		return nil
	}
	return &c.Where
}

func disk(c *resource.DiskSlow) *resource.Where {
	if c == nil {
		return nil
	}
	return &c.Where
}

// Target is the target of the one action that is there.
func (d *Docker) Target() fault.Target {
	e := engine{host: d.Host}
	switch {
	case d.Kill != nil:
		return &target{engine: e, which: *d.Kill, deed: kill{}}
	case d.Stop != nil:
		return &target{engine: e, which: d.Stop.Containers, deed: stop{grace(d.Stop.Grace)}}
	case d.Pause != nil:
		return &target{engine: e, which: *d.Pause, deed: pause{}}
	case d.Restart != nil:
		return &target{engine: e, which: *d.Restart, deed: restart{}}
	case d.Disconnect != nil:
		return &target{engine: e, which: d.Disconnect.Containers, deed: disconnect{d.Disconnect.Network}}
	case d.Network != nil:
		return &inside{engine: e, container: d.Network.Container, at: func(pid int) fault.Target {
			n := d.Network.Network
			n.PID = pid
			return n.Target()
		}}
	}
	return &inside{engine: e, container: d.Resource.Container, at: func(pid int) fault.Target { return d.Resource.Resource.At(pid).Target() }}
}

// The time that a container gets to stop.
const (
	usualGrace = 10 * time.Second
	maxGrace   = 15 * time.Second
)

func grace(s string) time.Duration {
	if d, err := time.ParseDuration(s); err == nil {
		return d
	}
	return usualGrace
}
