package lint

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/belay-dr/belay/playbook"
)

// procedure is one list of steps with the place where it is written.
type procedure struct {
	scenario string
	name     string
	steps    []playbook.Step
}

// path is the dotted path of one of its steps.
func (pr procedure) path(i int) string {
	return fmt.Sprintf("scenarios.%s.%s[%d]", pr.scenario, pr.name, i)
}

// label names a step in a message.
func label(step *playbook.Step, i int) string {
	if step.ID == "" {
		return fmt.Sprintf("step %d", i+1)
	}
	return "step " + step.ID
}

// procedures returns the four procedures of a scenario, in the order in which they run.
func procedures(id string, s *playbook.Scenario) []procedure {
	return []procedure{
		{id, "recovery", s.Recovery}, {id, "test", s.Test}, {id, "resume", s.Resume}, {id, "backout", s.Backout},
	}
}

// eachStep calls visit for every step of every procedure.
func (p *pass) eachStep(visit func(pr procedure, i int, step *playbook.Step)) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		for _, pr := range procedures(row.ID, &row.Value) {
			for j := range pr.steps {
				visit(pr, j, &pr.steps[j])
			}
		}
	}
}

// acts says whether the step is a command or an action.
func acts(step *playbook.Step) bool {
	return step.Use != "" || len(step.Run) > 0 || step.Shell != ""
}

// checks says whether something is verified by the step itself.
func (p *pass) checks(step *playbook.Step) bool {
	return step.Check != nil || step.Expect != nil || p.actionChecks(step.Use)
}

// actionChecks says whether an action looks at its result in every environment that it is bound in.
func (p *pass) actionChecks(id string) bool {
	action, ok := p.pb.Actions.Get(id)
	if !ok {
		return false
	}
	if action.Expect != nil {
		return true
	}
	for _, b := range action.Bindings {
		if b.Value.Expect == nil && b.Value.Check == nil {
			return false
		}
	}
	return len(action.Bindings) > 0
}

// emptyResume wants one step that a machine can verify, or one that is done by it. "Everything is fine again" is no step.
func emptyResume(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		path := "scenarios." + row.ID + ".resume"
		if len(row.Value.Resume) == 0 {
			p.report(path, "the resume procedure is empty")
			continue
		}
		useful := false
		for j := range row.Value.Resume {
			step := &row.Value.Resume[j]
			useful = useful || acts(step) || p.checks(step) || step.Call != ""
		}
		if !useful {
			p.report(path, "the resume procedure has no action and no check")
		}
	}
}

// testWithoutCheck leaves an environment where a check is only in the binding of an action to the action.
func testWithoutCheck(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		found := false
		for j := range row.Value.Test {
			found = found || p.checks(&row.Value.Test[j])
		}
		if !found {
			p.report("scenarios."+row.ID+".test", "the test procedure checks nothing")
		}
	}
}

// unchecked accepts a check in the step, in its action, or in a step that follows before the next action.
func unchecked(p *pass) {
	p.eachStep(func(pr procedure, i int, step *playbook.Step) {
		if !acts(step) || p.checks(step) || pr.name == "test" {
			return
		}
		for j := i + 1; j < len(pr.steps) && !acts(&pr.steps[j]); j++ {
			if pr.steps[j].Check != nil || pr.steps[j].Expect != nil {
				return
			}
		}
		p.report(pr.path(i), "%s acts, and neither it nor a step after it looks at the result", label(step, i))
	})
}

func noActor(p *pass) {
	p.eachStep(func(pr procedure, i int, step *playbook.Step) {
		switch {
		case step.By != "":
		case step.Approve != "":
			p.report(pr.path(i), "%s needs an approval, and nothing says whose", label(step, i))
		case step.NoReturn && step.Manual != "":
			p.report(pr.path(i), "%s cannot be taken back, and nothing says who does it", label(step, i))
		}
	})
}

// vaguely finds words that leave open what is done.
var vaguely = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(handle (?:the|this|it|any|all)|deal with|take care of|sort out|look into|fix (?:it|things|the (?:problem|issue))|` +
		`as (?:needed|appropriate|necessary|required)|if (?:necessary|needed|required)|where appropriate|appropriately|somehow|etc)\b`)
})

func vague(p *pass) {
	p.eachStep(func(pr procedure, i int, step *playbook.Step) {
		if words := vaguely().FindString(step.Manual); words != "" {
			p.report(pr.path(i)+".manual", "%s says %q: what exactly?", label(step, i), strings.ToLower(words))
		}
	})
}

// unbound looks only at actions that a scenario uses.
func unbound(p *pass) {
	used := map[string]bool{}
	p.eachStep(func(_ procedure, _ int, step *playbook.Step) { used[step.Use] = true })
	for i := range p.pb.Actions {
		row := &p.pb.Actions[i]
		for _, env := range p.pb.Environments {
			if _, ok := row.Value.Bindings.Get(env.ID); !ok && used[row.ID] {
				p.report("actions."+row.ID, "action %s has no binding in environment %s", row.ID, env.ID)
			}
		}
	}
}

func noBackout(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		for j := range row.Value.Recovery {
			if step := &row.Value.Recovery[j]; step.NoReturn && len(row.Value.Backout) == 0 {
				p.report(fmt.Sprintf("scenarios.%s.recovery[%d].no_return", row.ID, j), "after %s there is no way back, and no backout",
					label(step, j))
			}
		}
	}
}
