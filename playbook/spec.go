package playbook

import (
	"encoding/json"
	"maps"
	"slices"
)

// Spec is something whose kind is known only to another room: a probe, a canary, a check or a fault.
// In YAML it is a mapping with one key, the kind: {http: {url: ...}}. A scalar or list below the key is handed
// to the kind as it is.
type Spec struct {
	// Kind is the one key, for example "http".
	Kind string
	// Config is what Kinds made for this kind: a pointer to a struct, filled in and validated by Load.
	Config any
	// Where is the place of a fault: empty for here, or a URL such as ssh://host. In YAML it is a key beside the kind.
	Where string
}

// whereKey is the one key that may stand beside the kind of a fault.
const whereKey = "where"

// MarshalJSON writes {"kind": config}, with the place beside it if there is one.
func (s Spec) MarshalJSON() ([]byte, error) {
	m := map[string]any{s.Kind: s.Config}
	if s.Where != "" {
		m[whereKey] = s.Where
	}
	return json.Marshal(m)
}

// Kinds are the kinds of fault, probe, canary and check that a playbook may use. The command line wires them, so that
// this package imports none of them. The first key is the family (the `kind` tag of the field: "fault", "probe",
// "canary", "check"), the second the kind. The function returns a pointer to a zero config struct, whose yaml tags
// are decoded as strictly as the playbook's own: an unknown key is an error, a field is required unless its yaml or json tag
// says omitempty or omitzero, and fields may be strings, numbers, booleans, time.Duration or Duration (written with a unit), encoding.TextUnmarshaler, structs,
// pointers, slices, maps with string keys, Table and Spec (with a kind tag). Only strings may hold ${placeholders}, so Validate must
// accept them there.
type Kinds map[string]map[string]func() any

// Validator is what a config may implement to check itself after decoding. Each problem names the YAML key it is
// about (dotted below the config; empty for the config itself) and what is wrong.
type Validator interface {
	Validate() []Problem
}

// ConfigChecker is Validator for the configs of rooms that do not import this one: what is wrong, by YAML key.
type ConfigChecker interface {
	CheckConfig() map[string]string
}

// problemsOf asks a config what is wrong with it, in whichever way it can say.
func problemsOf(config any) []Problem {
	switch c := config.(type) {
	case Validator:
		return c.Validate()
	case ConfigChecker:
		problems := c.CheckConfig()
		var list []Problem
		for _, key := range slices.Sorted(maps.Keys(problems)) {
			list = append(list, Problem{Key: key, Message: problems[key]})
		}
		return list
	}
	return nil
}

// Shorthand is what a config may implement to accept a scalar or a list instead of a mapping,
// for example {tcp: "host:22"} or {run: [a, b]}.
type Shorthand interface {
	// Short takes the scalar (one element, list false) or the list, and returns a hint when it does not fit.
	Short(values []string, list bool) error
}

// Problem is one thing wrong with a config.
type Problem struct {
	Key     string
	Message string
	Hint    string
}
