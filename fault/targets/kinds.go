package targets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/belay-dr/belay/fault"
)

// config is what each kind has: it checks itself and becomes a target.
type config interface {
	// CheckConfig returns what is wrong, by dotted key; the empty key is the config itself.
	CheckConfig() map[string]string
	target() fault.Target
}

// Kinds are the configs by kind, for whoever loads playbooks. Each is a pointer to a struct with yaml and json tags, and
// has a method CheckConfig() map[string]string that returns, by dotted key (empty for the config itself), what is wrong.
func Kinds() map[string]func() any {
	out := map[string]func() any{}
	for name, make := range kinds() {
		out[name] = func() any { return make() }
	}
	return out
}

func kinds() map[string]func() config {
	return map[string]func() config{
		"process": func() config { return new(Process) },
		"file":    func() config { return new(File) },
		"command": func() config { return new(Command) },
	}
}

// Decode reads a spec strictly and returns its target.
func Decode(spec fault.Spec) (fault.Target, error) {
	all := kinds()
	make, ok := all[spec.Kind]
	if !ok {
		return nil, fmt.Errorf("unknown fault %q: this belay knows %s", spec.Kind, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	c := make()
	d := json.NewDecoder(bytes.NewReader(spec.Config))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("fault %s: %w", spec.Kind, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("fault %s: more than one value", spec.Kind)
	}
	wrong := c.CheckConfig()
	if len(wrong) > 0 {
		key := slices.Min(slices.Collect(maps.Keys(wrong)))
		if key == "" {
			return nil, fmt.Errorf("fault %s: %s", spec.Kind, wrong[key])
		}
		return nil, fmt.Errorf("fault %s: %s: %s", spec.Kind, key, wrong[key])
	}
	return c.target(), nil
}

// Capability is one fault that this host can make.
type Capability struct {
	Fault  string      `json:"fault"`
	Class  fault.Class `json:"class"`
	Effect string      `json:"effect"`
}

// Capabilities lists what the targets of this package can do here. None of them needs more than the rights of its user.
func Capabilities() []Capability {
	return []Capability{
		{"process.kill", fault.OneShot, "a process gets SIGKILL; nobody starts it again but the procedure"},
		{"process.stop", fault.Restore, "a process is frozen and goes on afterwards"},
		{"file.unavailable", fault.Restore, "a file or directory cannot be reached under its name"},
		{"file.corrupt", fault.Restore, "bytes of a file are flipped in place"},
		{"file.lost", fault.Restore, "files or directories are gone from their places"},
		{"command", fault.Restore, "whatever commands of your own inject, confirm and take back"},
	}
}
