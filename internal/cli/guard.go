package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/reach/identity"
)

// whereabouts fills in what the guard must know of where we are: whether it is where the plan says, and whether something of
// production would be hit from an environment that is not.
func whereabouts(ctx context.Context, pb *playbook.Playbook, c *exercise.Clearance) {
	if err := identity.Differs(ctx, c.Plan.Identity); err != nil {
		c.Identity = err.Error()
	}
	if c.Plan.Production {
		return
	}
	for _, env := range pb.Environments {
		if env.Value.Kind == playbook.NonProduction {
			continue
		}
		if why := inProduction(ctx, env.ID, env.Value); why != "" {
			c.Foreign = append(c.Foreign, why)
		}
		own, _ := pb.Environments.Get(c.Plan.Environment)
		c.Foreign = append(c.Foreign, named(c.Plan, *own, env.ID, env.Value)...)
	}
}

// inProduction says that all which a production environment pins is what is seen here.
func inProduction(ctx context.Context, name string, env playbook.Environment) string {
	pinned := map[string]string{}
	for _, row := range env.Identity {
		if strings.Contains(row.Value, "${") {
			return "" // it depends on values that this environment does not have
		}
		pinned[row.ID] = row.Value
	}
	if len(pinned) == 0 || identity.Differs(ctx, pinned) != nil {
		return ""
	}
	return fmt.Sprintf("all that pins environment %s is seen here: %s", name, strings.Join(env.Identity.IDs(), ", "))
}

// named lists the values of a production environment that the fault names. A value that this environment has too, such as a
// region, is no resource, unless it is an address or a path: that was copied by mistake.
func named(p exercise.Plan, own playbook.Environment, name string, production playbook.Environment) []string {
	if p.Fault == nil {
		return nil
	}
	var config any
	if json.Unmarshal(p.Fault.Config, &config) != nil {
		return nil
	}
	shared := map[string]bool{}
	for _, row := range own.Vars {
		shared[row.Value] = true
	}
	var out []string
	for _, row := range production.Vars {
		// A short value, such as a port or "on", is everywhere.
		if len(row.Value) < 4 || shared[row.Value] && !strings.ContainsAny(row.Value, "/.:") || strings.Contains(row.Value, "${") {
			continue
		}
		for _, text := range texts(config) {
			if strings.Contains(text, row.Value) {
				out = append(out, fmt.Sprintf("the fault names %q, which is ${%s} of environment %s", row.Value, row.ID, name))
				break
			}
		}
	}
	return out
}

// texts are all strings in a decoded JSON value.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	case map[string]any:
		var out []string
		for k, e := range v {
			out = append(append(out, k), texts(e)...)
		}
		return out
	}
	return nil
}
