package docker

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"docker": func() fault.Config { return new(Docker) }}
}

// Capabilities says which of them can be made from here. An engine on another host is not asked; a plan does.
func Capabilities(ctx context.Context) []fault.Capability {
	a := engine{}.address()
	base := fault.Capability{Class: fault.Restore, Fidelity: fault.Process, Mechanism: "Docker Engine API", Needs: []string{"a Docker Engine"}, Here: true}
	if !a.near() {
		base.Mechanism += " at " + a.Host + " (not asked)"
	} else if cli, err := a.reach(ctx); err != nil {
		base.Here, base.Mechanism, base.Why = false, "", err.Error()
	} else {
		cli.Close()
	}
	var out []fault.Capability
	for _, c := range []struct{ name, effect string }{
		{"kill", "containers end at once; nobody starts them again but the procedure"},
		{"stop", "containers are stopped, and started again afterwards"},
		{"pause", "containers are frozen and go on afterwards"},
		{"restart", "containers are ended and started again at once"},
		{"disconnect", "containers are off a network of the engine"},
		{"network", "a fault of the network inside a container"},
		{"resource", "a fault of the resources of a container"},
	} {
		one := base
		one.Fault, one.Effect = "docker."+c.name, c.effect
		switch c.name {
		case "kill", "restart":
			one.Class = fault.OneShot
		case "disconnect":
			one.Fidelity = fault.Network
		case "network", "resource":
			if one.Here {
				one.Mechanism = "the host's, in the container's namespaces and cgroups"
			}
			if c.name == "network" {
				one.Fidelity = fault.Network
			} else {
				one.Fidelity = fault.Host
			}
			if one.Here && !a.local() {
				one.Here, one.Mechanism, one.Why = false, "", "the engine at "+a.Host+" is on another host"
			}
		}
		out = append(out, one)
	}
	return out
}
