package playbook

import (
	"fmt"
	"slices"
	"strings"
)

// placeholders checks every text in which placeholders are replaced: each name must be a variable of an environment, a value
// captured by an earlier step, or one of Builtins.
func (c *checker) placeholders() {
	if c.unsure("environments") {
		return
	}
	scopes := c.scopes()
	for _, t := range c.texts {
		if !strings.Contains(t.value, "${") || c.bad[t.path] {
			continue
		}
		known, expanded := scopes.of(t.path)
		if !expanded {
			continue
		}
		if _, err := pieces(t.value); err != nil {
			message, hint, _ := strings.Cut(err.Error(), "; ")
			c.wrong(t.path, message, hint)
			continue
		}
		for _, name := range Placeholders(t.value) {
			if !slices.Contains(known, name) {
				c.wrong(t.path, fmt.Sprintf("unknown placeholder ${%s}", name), placeholderHint(t.path, name, known))
			}
		}
	}
}

func placeholderHint(path, name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return fmt.Sprintf("did you mean ${%s}?", best)
	}
	if strings.HasSuffix(path, ".shell") {
		return fmt.Sprintf("for a shell variable write $${%s}", name)
	}
	return "no environment has such a variable and no earlier step captures it"
}

// scopes knows which names may stand where.
type scopes struct {
	vars     []string            // of any environment, and Builtins
	captured []string            // by any step or action
	byEnv    map[string][]string // the variables of one environment, and Builtins
	byStep   map[string][]string // what earlier steps captured, by the path of a step
	own      map[string][]string // what the step itself captures, which its expect may use
}

func (c *checker) scopes() scopes {
	s := scopes{vars: Builtins(), byEnv: map[string][]string{}, byStep: map[string][]string{}, own: map[string][]string{}}
	for _, row := range c.pb.Environments {
		s.byEnv[row.ID] = append(Builtins(), row.Value.Vars.IDs()...)
		s.vars = append(s.vars, row.Value.Vars.IDs()...)
	}
	for _, row := range c.pb.Scenarios {
		earlier := c.calledCaptures(row.Value)
		for _, p := range row.Value.Procedures() {
			for i, step := range p.Steps {
				at := fmt.Sprintf("%s.%s.%s[%d]", ScenarioDir, row.ID, p.Name, i)
				s.byStep[at], s.own[at] = slices.Clone(earlier), c.stepCaptures(step)
				earlier = append(earlier, s.own[at]...)
			}
		}
		s.captured = append(s.captured, earlier...)
	}
	for _, row := range c.pb.Actions {
		for _, b := range row.Value.Bindings {
			s.captured = append(s.captured, b.Value.Capture.IDs()...)
		}
	}
	return s
}

// stepCaptures are the names that a step sets, by itself or through its action.
func (c *checker) stepCaptures(step Step) []string {
	names := step.Capture.IDs()
	if a, ok := c.pb.Actions.Get(step.Use); ok {
		for _, b := range a.Bindings {
			names = append(names, b.Value.Capture.IDs()...)
		}
	}
	return names
}

// calledCaptures are the names that the scenarios set which this one calls.
func (c *checker) calledCaptures(s Scenario) []string {
	var names, seen []string
	queue := s.Calls()
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		called, ok := c.pb.Scenarios.Get(id)
		if !ok || slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		queue = append(queue, called.Calls()...)
		for _, step := range called.Recovery {
			names = append(names, c.stepCaptures(step)...)
		}
	}
	return names
}

// of returns the names known at a path, and whether placeholders are replaced there at all.
func (s scopes) of(path string) ([]string, bool) {
	parts := strings.Split(path, ".")
	at := func(i int) string {
		if i >= len(parts) {
			return ""
		}
		name, _, _ := strings.Cut(parts[i], "[")
		return name
	}
	switch at(0) {
	case "services":
		return s.vars, at(2) == "probes" || at(2) == "canary"
	case "notifications":
		return s.vars, at(1) == "what" || at(1) == "why"
	case "actions":
		if names, ok := s.byEnv[at(2)]; ok {
			return slices.Concat(names, s.captured), at(3) != "example"
		}
		return slices.Concat(s.vars, s.captured), at(2) != "note"
	case ScenarioDir:
		return s.inScenario(parts, at)
	}
	return nil, false
}

// inScenario is of for a path in a scenario.
func (s scopes) inScenario(parts []string, at func(int) string) ([]string, bool) {
	switch at(2) {
	case "fault":
		return s.vars, true
	case "assumptions":
		return s.vars, at(3) == "check"
	case "recovery", "test", "resume", "backout":
		if len(parts) < 4 {
			return nil, false
		}
		step := strings.Join(parts[:3], ".")
		earlier := s.byStep[step]
		if at(3) == "expect" {
			earlier = slices.Concat(earlier, s.own[step])
		}
		return slices.Concat(s.vars, earlier), at(3) != "note" && at(3) != "example" && at(3) != "capture"
	}
	return nil, false
}
