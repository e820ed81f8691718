package lint

import (
	"slices"

	"github.com/belay-dr/belay/playbook"
)

// Where an edge of the flow leads, besides to a step.
const (
	toEnd  = -1 // the end of the procedure, or a jump to the resume procedure
	toStop = -2
)

// edge is one way out of a step. Done says whether the step was carried out well on this way, so that its captures are set.
type edge struct {
	to   int
	done bool
}

// target is where a jump of step i leads. An unknown one, which loading refuses, leads nowhere.
func target(steps []playbook.Step, i int, jump playbook.Jump) int {
	switch jump {
	case "", playbook.Next:
		if i+1 < len(steps) {
			return i + 1
		}
		return toEnd
	case playbook.ToResume:
		return toEnd
	case playbook.Stop:
		return toStop
	}
	to := slices.IndexFunc(steps, func(s playbook.Step) bool { return s.ID == string(jump) })
	if to <= i {
		return toStop
	}
	return to
}

// edges are the ways out of step i.
func edges(steps []playbook.Step, i int) []edge {
	step := &steps[i]
	var out []edge
	if step.Ask != "" && len(step.Options) > 0 {
		for _, o := range step.Options {
			// As in an exercise: an option without a jump goes on with the next step, whatever the step's then says.
			out = append(out, edge{target(steps, i, o.Value.Goto), true})
		}
	} else {
		out = append(out, edge{target(steps, i, step.Then.OK), true})
	}
	if step.Then.Failed != "" {
		out = append(out, edge{target(steps, i, step.Then.Failed), false})
	}
	if step.Optional {
		out = append(out, edge{target(steps, i, playbook.Next), false})
	}
	return out
}

// reached says which steps some branch reaches.
func reached(steps []playbook.Step) []bool {
	seen := make([]bool, len(steps))
	for i := range steps {
		if i == 0 {
			seen[i] = true
		}
		if !seen[i] {
			continue
		}
		for _, e := range edges(steps, i) {
			if e.to >= 0 {
				seen[e.to] = true
			}
		}
	}
	return seen
}

func unreachableStep(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		for _, pr := range procedures(row.ID, &row.Value) {
			for j, ok := range reached(pr.steps) {
				if !ok {
					p.report(pr.path(j), "%s is never reached: every branch jumps past it", label(&pr.steps[j], j))
				}
			}
		}
	}
}

// names is a set of captured values. A nil one means that no branch has come here yet.
type names map[string]bool

// meet keeps what is set on both branches.
func meet(a, b names) names {
	if a == nil {
		return b
	}
	both := names{}
	for n := range a {
		if b[n] {
			both[n] = true
		}
	}
	return both
}

// with adds names to a copy.
func (a names) with(more []string) names {
	sum := names{}
	for n := range a {
		sum[n] = true
	}
	for _, n := range more {
		sum[n] = true
	}
	return sum
}

// captureFlow follows the captured values of one scenario in one environment through the forward branches.
type captureFlow struct {
	p     *pass
	env   string
	all   names
	fixed names
	found func(path, name string, step *playbook.Step, i int)
}

// unsetCapture reports each use once, naming the environment only when others are right.
func unsetCapture(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		type use struct {
			path, name, label string
			envs              []string
		}
		var uses []use
		envs := p.pb.Environments.IDs()
		if len(envs) == 0 {
			envs = []string{""}
		}
		for _, env := range envs {
			f := captureFlow{p: p, env: env}
			f.found = func(path, name string, step *playbook.Step, i int) {
				at := slices.IndexFunc(uses, func(u use) bool { return u.path == path && u.name == name })
				if at < 0 {
					uses = append(uses, use{path: path, name: name, label: label(step, i)})
					at = len(uses) - 1
				}
				if !slices.Contains(uses[at].envs, env) {
					uses[at].envs = append(uses[at].envs, env)
				}
			}
			f.scenario(row.ID, &row.Value)
		}
		for _, u := range uses {
			in := ""
			if len(u.envs) < len(envs) {
				in = " in " + u.envs[0]
			}
			p.report(u.path, "%s uses ${%s}%s, which is not captured on every branch that leads to it", u.label, u.name, in)
		}
	}
}

// scenario runs the procedures in order: what the recovery has set at all its ends is there for the test and the resume.
// The backout begins with what is set at every step of no return.
func (f *captureFlow) scenario(id string, s *playbook.Scenario) {
	f.all, f.fixed = names{}, names{}
	if env, ok := f.p.pb.Environments.Get(f.env); ok {
		f.fixed = f.fixed.with(env.Vars.IDs()).with(env.Secrets.IDs())
	}
	for _, pr := range procedures(id, s) {
		for i := range pr.steps {
			f.all = f.all.with(f.captures(&pr.steps[i]))
		}
	}
	if len(f.all) == 0 {
		return
	}
	procs := procedures(id, s)
	state := names{}
	var backout names
	for n, pr := range procs[:3] {
		end, stopped := f.procedure(pr, state)
		if n == 0 {
			backout = stopped
		}
		if end != nil {
			state = end
		}
	}
	if backout == nil {
		backout = names{}
	}
	f.procedure(procs[3], backout)
}

// captures are the names that a step sets when it succeeds.
func (f *captureFlow) captures(step *playbook.Step) []string {
	set := step.Capture.IDs()
	if action, ok := f.p.pb.Actions.Get(step.Use); ok {
		if b, ok := action.Bindings.Get(f.env); ok {
			set = append(set, b.Capture.IDs()...)
		}
	}
	return set
}

// procedure returns what is set at every end, and what is set after every step of no return (nil when there is none).
func (f *captureFlow) procedure(pr procedure, state names) (end, stopped names) {
	if len(pr.steps) == 0 {
		return state, nil
	}
	in := make([]names, len(pr.steps))
	in[0] = state
	for i := range pr.steps {
		if in[i] == nil {
			continue
		}
		step := &pr.steps[i]
		f.uses(pr, i, in[i])
		if step.NoReturn {
			stopped = meet(stopped, in[i])
		}
		for _, e := range edges(pr.steps, i) {
			out := in[i]
			if e.done {
				out = in[i].with(f.captures(step))
			}
			switch {
			case e.to >= 0:
				in[e.to] = meet(in[e.to], out)
			case e.to == toEnd:
				end = meet(end, out)
			}
		}
	}
	return end, stopped
}

// uses reports the captured names that step i needs and that are not set. What it expects afterwards sees its own captures.
func (f *captureFlow) uses(pr procedure, i int, set names) {
	step := &pr.steps[i]
	after := set.with(f.captures(step))
	for _, t := range f.p.texts(pr.path(i), step, f.env) {
		known := set
		if t.after {
			known = after
		}
		for _, name := range playbook.Placeholders(t.text) {
			if f.all[name] && !known[name] && !f.fixed[name] {
				f.found(t.path, name, step, i)
			}
		}
	}
}
