package fault

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config is what one kind of fault has in a playbook or a request: a pointer to a struct with yaml and json tags. It
// checks itself and becomes a target. Both are pure: they touch nothing and need no rights.
type Config interface {
	// CheckConfig returns what is wrong, by dotted key; the empty key is the config itself.
	CheckConfig() map[string]string
	// Target returns the target of a config that has nothing wrong.
	Target() Target
}

// Kinds are the faults that a program knows, by name. Each value makes an empty config.
type Kinds map[string]func() Config

// Together are several sets of kinds as one. A name in two of them is a mistake in the program.
func Together(sets ...Kinds) Kinds {
	out := Kinds{}
	for _, set := range sets {
		for name, make := range set {
			if _, twice := out[name]; twice || name == all {
				panic("two kinds of fault are called " + name)
			}
			out[name] = make
		}
	}
	return out
}

// Configs are the kinds as the loader of playbooks wants them.
func (k Kinds) Configs() map[string]func() any {
	out := map[string]func() any{}
	for name, make := range k {
		if name != Remote { // a playbook says where instead
			out[name] = func() any { return make() }
		}
	}
	return out
}

// Decode reads a spec strictly and returns its target. A spec made by Group becomes a target that breaks all of them.
func (k Kinds) Decode(spec Spec) (Target, error) {
	if spec.Kind == all {
		return k.group(spec.Config)
	}
	make, ok := k[spec.Kind]
	if !ok {
		return nil, fmt.Errorf("%w %q: this program knows %s", ErrUnknown, spec.Kind, strings.Join(slices.Sorted(maps.Keys(k)), ", "))
	}
	c := make()
	if err := StrictJSON(spec.Config, c); err != nil {
		return nil, fmt.Errorf("fault %s: %w", spec.Kind, err)
	}
	wrong := c.CheckConfig()
	if len(wrong) > 0 {
		key := slices.Min(slices.Collect(maps.Keys(wrong)))
		if key == "" {
			return nil, fmt.Errorf("fault %s: %s", spec.Kind, wrong[key])
		}
		return nil, fmt.Errorf("fault %s: %s: %s", spec.Kind, key, wrong[key])
	}
	return c.Target(), nil
}

// Capability is one fault, and whether it can be made here.
type Capability struct {
	// Fault is its name: "network.delay".
	Fault    string   `json:"fault"`
	Class    Class    `json:"class"`
	Fidelity Fidelity `json:"fidelity"`
	// Effect is one phrase for a person.
	Effect string `json:"effect"`
	// Mechanism is the one that would be used here: "nft owner table". Empty when there is none.
	Mechanism string `json:"mechanism,omitempty"`
	// KernelEnds says that the kernel itself takes the fault back when its holder dies.
	KernelEnds bool `json:"kernel_ends"`
	// Needs are the privileges and parts it needs: "CAP_NET_ADMIN", "a Docker Engine".
	Needs []string `json:"needs,omitempty"`
	// Here says that it can be made here and now, by this user. If not, Why says why, and what would help.
	Here bool   `json:"here"`
	Why  string `json:"why,omitempty"`
}

// errMoreJSON says that something follows the value.
var errMoreJSON = errors.New("more than one value")
