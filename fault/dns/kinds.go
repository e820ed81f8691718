package dns

import (
	"context"

	"github.com/belay-dr/belay/fault"
)

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"dns": func() fault.Config { return new(DNS) }}
}

// Capabilities says which of them can be made here. It tries the redirection in a network namespace that is thrown away.
func Capabilities(context.Context) []fault.Capability {
	var why string
	if !privileged() {
		why = errRights.Error()
	} else if err := able(); err != nil {
		why = err.Error()
	}
	var out []fault.Capability
	for _, c := range []struct{ name, effect string }{
		{"nxdomain", "names are not found"},
		{"servfail", "the server cannot tell"},
		{"silent", "no answer comes"},
		{"address", "names have another address"},
		{"slow", "answers come late"},
	} {
		f := fault.Capability{
			Fault: "dns." + c.name, Class: fault.SelfEnding, Fidelity: fault.Network, KernelEnds: true,
			Effect: c.effect + ", for some names in one network namespace", Needs: []string{"CAP_NET_ADMIN"}, Here: why == "", Why: why,
		}
		if f.Here {
			f.Mechanism = "nft owner table and a server in the holder"
		}
		out = append(out, f)
	}
	return out
}
