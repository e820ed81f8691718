package playbook

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Substance returns the digests of what people agree to: services with their criticality, objectives, needs and thresholds;
// scenarios with their class, severity, objectives, leads, fault and every step; actions; who is told what and when; who must
// agree; the severity scale; which environments are production. Names, purposes, phone numbers, notes, examples and other prose
// are no part of it.
func Substance(pb *Playbook) Parts {
	p := partsWriter{pb: pb, parts: Parts{}, as: func(v any) any { return v }}
	p.parts.add("application", pb.Application)
	for _, row := range pb.Environments {
		p.parts.add("environments."+row.ID+".kind", row.Value.Kind)
	}
	for _, row := range pb.Services {
		p.service(row.ID, row.Value)
	}
	for _, row := range pb.Scenarios {
		p.scenario(row.ID, row.Value)
		for _, procedure := range row.Value.Procedures() {
			p.procedure(row.ID, procedure)
		}
	}
	for _, row := range pb.Actions {
		p.action(row.ID, row.Value)
		for _, b := range row.Value.Bindings {
			p.binding(row.ID, b.ID, b.Value)
		}
	}
	for i, n := range pb.Notifications {
		p.parts.add(fmt.Sprintf("notifications[%d]", i), map[string]any{
			"when": n.When, "who": sorted(n.Who), "what": n.What, "within": n.Within,
		})
	}
	p.parts.add("agreement.roles", sorted(pb.Agreement.Signers()))
	p.parts.add("agreement.author", pb.Agreement.Author)
	p.parts.add("agreement.author_may_sign", pb.Agreement.AuthorMaySign)
	for _, row := range pb.Scale() {
		p.parts.add("severities."+row.ID, row.Value)
	}
	p.parts.add("severities.order", pb.Scale().IDs())
	return p.parts
}

// Closure returns the digests of what an exercise of the scenario in the environment proves: the scenario with its steps, the
// bindings that they use there, the services that it covers and all that these need, the scenarios that it calls, and what
// measured it: the probes that decide, and the canary. Variables
// of the environment are replaced by their values, so that a changed value shows in the part that uses it.
func Closure(pb *Playbook, scenario, environment string) (Parts, error) {
	env, ok := pb.Environments.Get(environment)
	if !ok {
		return nil, fmt.Errorf("close over scenario %s: unknown environment %q", scenario, environment)
	}
	s, ok := pb.Scenarios.Get(scenario)
	if !ok {
		return nil, fmt.Errorf("close over scenario: unknown scenario %q", scenario)
	}
	p := partsWriter{pb: pb, parts: Parts{}, as: func(v any) any { return withVars(v, env.Vars) }}
	p.parts.add("environments."+environment+".kind", env.Kind)
	p.scenario(scenario, *s)
	for _, procedure := range s.Procedures() {
		p.procedure(scenario, procedure)
		p.uses(procedure, environment)
	}
	for _, called := range pb.called(*s) {
		c, _ := pb.Scenarios.Get(called)
		recovery := c.Procedures()[0]
		p.procedure(called, recovery)
		p.uses(recovery, environment)
	}
	for _, id := range append(slices.Clone(s.Covers), pb.Needs(s.Covers...)...) {
		if service, ok := pb.Services.Get(id); ok {
			p.service(id, *service)
		}
	}
	p.measuredBy(s.Covers)
	return p.parts, nil
}

// measuredBy writes the probe of each covered service that decides, and the canary that counts what is lost.
func (p partsWriter) measuredBy(covers []string) {
	for _, id := range covers {
		if service, ok := p.pb.Services.Get(id); ok && len(service.Probes) > 0 {
			p.parts.add("services."+id+".probes."+service.Probes[0].ID, p.as(service.Probes[0].Value))
		}
	}
	if writers := p.pb.Canaries(covers...); len(writers) > 0 {
		service, _ := p.pb.Services.Get(writers[0])
		p.parts.add("services."+writers[0]+".canary", p.as(service.Canary))
	}
}

// Canaries are the services whose canaries write through the given ones: their own and those of what they need; when there is
// none, those of the services that need them. The first one decides.
func (pb *Playbook) Canaries(services ...string) []string {
	var out []string
	for _, id := range append(slices.Clone(services), pb.Needs(services...)...) {
		if s, ok := pb.Services.Get(id); ok && s.Canary != nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, row := range pb.Services {
		above := pb.Needs(row.ID)
		if row.Value.Canary != nil && slices.ContainsFunc(services, func(s string) bool { return slices.Contains(above, s) }) {
			out = append(out, row.ID)
		}
	}
	return out
}

// called are the scenarios that a scenario calls, directly or through others, each once.
func (pb *Playbook) called(s Scenario) []string {
	var out []string
	queue := s.Calls()
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		c, ok := pb.Scenarios.Get(id)
		if !ok || slices.Contains(out, id) {
			continue
		}
		out = append(out, id)
		queue = append(queue, c.Calls()...)
	}
	return out
}

// partsWriter writes the digests of a playbook's parts.
type partsWriter struct {
	pb    *Playbook
	parts Parts
	as    func(any) any // how a text with placeholders is taken
}

func (p partsWriter) service(id string, s Service) {
	at := "services." + id + "."
	p.parts.add(at+"critical", plainCriticality(s.Critical))
	p.parts.add(at+"rto", s.RTO)
	p.parts.add(at+"rpo", s.RPO)
	p.parts.add(at+"needs", sorted(s.Needs))
	p.parts.add(at+"tolerates", s.Tolerates)
	p.parts.add(at+"severity", s.Severity)
	p.parts.add(at+"standby", s.Standby)
	p.parts.add(at+"uses", s.Uses)
}

// plainCriticality is the criticality without the text that it was written as.
func plainCriticality(c Criticality) any {
	if c.Period == nil {
		return map[string]any{"level": c.Level}
	}
	return map[string]any{"level": c.Level, "spans": c.Period.Spans, "zone": c.Period.Zone, "on_call": c.Period.OnCall}
}

func (p partsWriter) scenario(id string, s Scenario) {
	at := "scenarios." + id + "."
	if s.RecoversBy == "" {
		s.RecoversBy = ByProcedure
	}
	p.parts.add(at+"class", s.Class)
	p.parts.add(at+"covers", sorted(s.Covers))
	p.parts.add(at+"recovers_by", s.RecoversBy)
	p.parts.add(at+"leads", s.Leads)
	p.parts.add(at+"severity", s.Severity)
	p.parts.add(at+"rto", s.RTO)
	p.parts.add(at+"rpo", s.RPO)
	p.parts.add(at+"fault", p.as(s.Fault))
}

// procedure writes each step under its own name, and the order of the steps.
func (p partsWriter) procedure(scenario string, procedure Procedure) {
	at := fmt.Sprintf("scenarios.%s.%s.", scenario, procedure.Name)
	var order []string
	for _, s := range procedure.Steps {
		order = append(order, s.ID)
		p.parts.add(at+s.ID, p.as(plainStep(s)))
	}
	p.parts.add(at+"order", order)
}

// plainStep is a step without what changes nothing, with its defaults filled in. Its options are a list, because their order
// counts.
func plainStep(s Step) any {
	fill(&s.Then.OK, Next)
	fill(&s.Then.Failed, Stop)
	fill(&s.Repeat, RepeatAsk)
	fill(&s.Timeout, DefaultStepTimeout)
	s.To = sorted(s.To)
	var options []any
	for _, o := range s.Options {
		fill(&o.Value.Goto, Next)
		options = append(options, []any{o.ID, o.Value})
	}
	s.ID, s.Note, s.Example, s.Options = "", "", "", nil
	return map[string]any{"step": s, "options": options}
}

// fill sets a value that is zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (p partsWriter) action(id string, a Action) {
	at := "actions." + id + "."
	fill(&a.Repeat, RepeatAsk)
	p.parts.add(at+"text", p.as(a.Text))
	p.parts.add(at+"expect", p.as(a.Expect))
	p.parts.add(at+"repeat", a.Repeat)
	p.parts.add(at+"timeout", a.Timeout)
}

func (p partsWriter) binding(action, environment string, b Binding) {
	b.Example = ""
	b.Secrets = sorted(b.Secrets)
	p.parts.add(fmt.Sprintf("actions.%s.%s", action, environment), p.as(b))
}

// uses writes the actions that a procedure uses, with their bindings in the environment.
func (p partsWriter) uses(procedure Procedure, environment string) {
	for _, s := range procedure.Steps {
		a, ok := p.pb.Actions.Get(s.Use)
		if !ok {
			continue
		}
		p.action(s.Use, *a)
		if b, ok := a.Bindings.Get(environment); ok {
			p.binding(s.Use, environment, *b)
		}
	}
}

// sorted is a copy in order, for lists whose order means nothing.
func sorted[T ~string](list []T) []T { return slices.Sorted(slices.Values(list)) }

// withVars is the value as JSON would hold it, with the variables of an environment replaced. Other placeholders stay.
func withVars(value any, vars Table[string]) any {
	text, err := json.Marshal(value)
	if err != nil {
		return value
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return value
	}
	return expandJSON(plain, func(name string) (string, bool) {
		if v, ok := vars.Get(name); ok {
			return *v, true
		}
		return "${" + name + "}", true
	})
}

func expandJSON(value any, lookup func(string) (string, bool)) any {
	switch v := value.(type) {
	case string:
		if text, err := Expand(v, lookup); err == nil {
			return text
		}
	case []any:
		for i := range v {
			v[i] = expandJSON(v[i], lookup)
		}
	case map[string]any:
		for k := range v {
			v[k] = expandJSON(v[k], lookup)
		}
	}
	return value
}
