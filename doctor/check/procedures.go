package check

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/playbook"
)

// eachStep calls visit for every step of every procedure of every scenario.
func (v *visit) eachStep(visit func(scenario, path string, step *playbook.Step)) {
	for i := range v.pb.Scenarios {
		id, s := v.pb.Scenarios[i].ID, &v.pb.Scenarios[i].Value
		for _, p := range []struct {
			name  string
			steps []playbook.Step
		}{{"recovery", s.Recovery}, {"test", s.Test}, {"resume", s.Resume}, {"backout", s.Backout}} {
			for j := range p.steps {
				visit(id, fmt.Sprintf("scenarios.%s.%s.%s", id, p.name, p.steps[j].ID), &p.steps[j])
			}
		}
	}
}

// assumptions asks what each scenario relies on.
func (v *visit) assumptions(ctx context.Context) {
	for i := range v.pb.Scenarios {
		id, s := v.pb.Scenarios[i].ID, &v.pb.Scenarios[i].Value
		for j := range s.Assume {
			assumed := &s.Assume[j]
			if assumed.Check == nil {
				continue
			}
			v.look(doctor.AreaAssumptions, covered(s), func() *doctor.Finding {
				a, later, err := v.ask(ctx, "check", assumed.Check, v.deps.Timeout)
				if later || (err == nil && a.Outcome == measure.OK) {
					return nil
				}
				return blocker(fmt.Sprintf("assumption.%s.%d", id, j+1), assumed.Text, seen(a, err),
					"the recovery of "+id+" relies on it: without it the procedure cannot work",
					fmt.Sprintf("make it hold in %s, or change scenarios.%s.assumptions[%d]", v.environment, id, j))
			})
		}
	}
}

// covered is the service that a scenario's checks are shown under.
func covered(s *playbook.Scenario) string {
	if len(s.Covers) == 0 {
		return ""
	}
	return s.Covers[0]
}

// use is one command or text of a step, as it is here.
type use struct {
	scenario string
	service  string
	path     string
	binding  playbook.Binding
	optional bool
}

// uses are the steps that do something here, each with its own text or with the binding of its action. An action without
// a binding here has a zero one.
func (v *visit) uses() []use {
	var all []use
	v.eachStep(func(scenario, path string, step *playbook.Step) {
		s, _ := v.pb.Scenarios.Get(scenario)
		u := use{scenario: scenario, service: covered(s), path: path, optional: step.Optional}
		switch {
		case step.Use != "":
			if action, ok := v.pb.Actions.Get(step.Use); ok {
				if b, ok := action.Bindings.Get(v.environment); ok {
					u.binding = *b
				}
			}
		case len(step.Run) > 0 || step.Shell != "":
			u.binding = playbook.Binding{Run: step.Run, Shell: step.Shell, Where: step.Where}
		default:
			return
		}
		if step.Where != "" {
			u.binding.Where = step.Where
		}
		all = append(all, u)
	})
	return all
}

// procedures looks whether each step could be carried out from here: it is bound, its placeholders have values, its
// program is there. Nothing is started.
func (v *visit) procedures() {
	for _, u := range v.uses() {
		v.look(doctor.AreaProcedures, u.service, func() *doctor.Finding {
			f := v.step(u)
			if f != nil && u.optional {
				f.Severity = doctor.Risk
			}
			return f
		})
	}
}

func (v *visit) step(u use) *doctor.Finding {
	b := u.binding
	if len(b.Run) == 0 && b.Shell == "" && b.Manual == "" && b.Check == nil {
		return blocker("binding."+u.path, "a binding for "+v.environment, "none",
			"the step cannot be carried out there, so the recovery ends before it", "add "+v.environment+" to the action")
	}
	if missing := v.missing(b); len(missing) > 0 {
		return blocker("variable."+u.path, "a value for each placeholder", "none for ${"+strings.Join(missing, "}, ${")+"}",
			"the step would not run", fmt.Sprintf("add it to environments.%s.vars, or capture it in an earlier step", v.environment))
	}
	if b.Where != "" {
		return nil // the program has to be there, not here
	}
	program := "/bin/sh"
	if len(b.Run) > 0 {
		name, err := playbook.Expand(b.Run[0], func(name string) (string, bool) {
			value, later, ok := v.value(name)
			return value, ok && !later
		})
		if err != nil {
			return nil // the exercise will know it
		}
		program = name
	} else if b.Shell == "" {
		return nil
	}
	if _, err := v.deps.LookPath(program); err != nil {
		return blocker("program."+u.path, "the program "+program, reason(err),
			"the step "+u.path+" would fail in the middle of a recovery", "install it here, put it into PATH, or correct the binding")
	}
	return nil
}

// missing are the placeholders of a binding that nothing gives a value.
func (v *visit) missing(b playbook.Binding) []string {
	var missing []string
	for _, text := range append(slices.Clone(b.Run), b.Shell, b.Manual, b.Where) {
		for _, name := range playbook.Placeholders(text) {
			if _, _, ok := v.value(name); !ok && !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

// reason drops the program's name, which the finding says already.
func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}
