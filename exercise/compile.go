package exercise

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/playbook"
)

// CompileOptions are what a plan needs besides the playbook.
type CompileOptions struct {
	// ID of the exercise.
	ID string
	// Runner is the person who runs it.
	Runner string
	// Now is the wall clock; it is only shown.
	Now time.Time
	// Limit is the longest time the fault may be held; zero means the time box.
	Limit time.Duration
}

// defaultGrace is how long after the fault a service may still look healthy, unless the time box is shorter.
const defaultGrace = 30 * time.Second

// Compile freezes a scenario into a plan for one environment: the bindings are chosen, the environment's values are filled
// in, called scenarios are copied in place. Captured values stay placeholders until the exercise knows them.
func Compile(pb *playbook.Playbook, scenario, environment string, mode Mode, opts CompileOptions) (Plan, error) {
	sc, ok := pb.Scenarios.Get(scenario)
	if !ok {
		return Plan{}, fmt.Errorf("plan exercise: there is no scenario %q (there are: %s)", scenario, strings.Join(pb.Scenarios.IDs(), ", "))
	}
	env, ok := pb.Environments.Get(environment)
	if !ok {
		return Plan{}, fmt.Errorf("plan exercise: there is no environment %q (there are: %s)", environment, strings.Join(pb.Environments.IDs(), ", "))
	}
	c := &compiler{pb: pb, env: env, environment: environment}
	c.plan = c.head(sc, scenario, mode, opts)
	c.values = map[string]string{
		"application": pb.Application, "scenario": sc.Title, "severity": sc.Severity, "environment": environment,
		"exercise": opts.ID, "lead": sc.Leads.Primary,
	}
	steps := []func() error{
		c.identity,
		func() error { return c.observation(sc) },
		func() error { return c.failure(sc) },
		func() error { return c.procedure(Recovery, sc.Recovery, "", []string{scenario}) },
		func() error { return c.procedure(Test, sc.Test, "", []string{scenario}) },
		func() error { return c.procedure(Resume, sc.Resume, "", []string{scenario}) },
		func() error { return c.procedure(Backout, sc.Backout, "", []string{scenario}) },
		func() error { return c.notices(sc) },
		func() error { return c.digests(scenario) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return Plan{}, fmt.Errorf("plan exercise of %s in %s: %w", scenario, environment, err)
		}
	}
	return c.plan, nil
}

// compiler is a plan in the making.
type compiler struct {
	pb          *playbook.Playbook
	env         *playbook.Environment
	environment string
	values      map[string]string
	captures    []string
	plan        Plan
}

// identity fills in what the environment pins.
func (c *compiler) identity() error {
	for _, row := range c.env.Identity {
		value, err := c.text(row.Value)
		if err != nil {
			return fmt.Errorf("identity.%s: %w", row.ID, err)
		}
		if c.plan.Identity == nil {
			c.plan.Identity = map[string]string{}
		}
		c.plan.Identity[row.ID] = value
	}
	return nil
}

func (c *compiler) head(sc *playbook.Scenario, scenario string, mode Mode, opts CompileOptions) Plan {
	pace := c.env.Measure.OrDefault()
	p := Plan{
		Machine: MachineVersion, ID: opts.ID, Application: c.pb.Application, Scenario: scenario, Title: sc.Title,
		Class: string(sc.Class), Severity: sc.Severity, Environment: c.environment,
		Production: c.env.Kind != playbook.NonProduction, Mode: mode, Runner: opts.Runner, Lead: sc.Leads.Primary,
		Planned: opts.Now.UTC(), Covers: slices.Clone(sc.Covers),
		Pace:     measure.Pace{Period: pace.Period.D(), Timeout: pace.Timeout.D(), Window: pace.Window.D()},
		Baseline: pace.Baseline.D(), TimeBox: pace.TimeBox.D(), RTO: sc.RTO.D(), RPO: sc.RPO.D(),
		RecoversBy: string(sc.RecoversBy), Limit: opts.Limit,
	}
	if p.RecoversBy == "" {
		p.RecoversBy = string(byProcedure)
	}
	if p.Limit == 0 || p.Limit > p.TimeBox {
		p.Limit = p.TimeBox
	}
	p.BaselineLimit = baselineLimit(p.Baseline)
	p.Grace = min(max(defaultGrace, 4*p.Pace.Grace()), p.TimeBox)
	return p
}

// baselineLimit is how long a steady state is waited for: on a busy machine a probe may time out now and then.
func baselineLimit(baseline time.Duration) time.Duration { return 3*baseline + 5*time.Second }

// observation plans the probes: the first probe of each covered service decides, all others are shown.
func (c *compiler) observation(sc *playbook.Scenario) error {
	shown := append(slices.Clone(sc.Covers), c.pb.Needs(sc.Covers...)...)
	for _, id := range shown {
		service, ok := c.pb.Services.Get(id)
		if !ok {
			continue
		}
		covered := slices.Contains(sc.Covers, id)
		for i, row := range service.Probes {
			check, err := c.check(&row.Value)
			if err != nil {
				return fmt.Errorf("probe %s of %s: %w", row.ID, id, err)
			}
			c.plan.Probes = append(c.plan.Probes, Probe{Name: id + "/" + row.ID, Service: id, Check: *check, Primary: covered && i == 0})
		}
	}
	for _, id := range c.pb.Canaries(sc.Covers...) {
		service, _ := c.pb.Services.Get(id)
		check, err := c.check(service.Canary)
		if err != nil {
			return fmt.Errorf("canary of %s: %w", id, err)
		}
		c.plan.Canaries = append(c.plan.Canaries, Canary{Service: id, Check: *check})
	}
	return nil
}

// failure plans the fault and the assumptions.
func (c *compiler) failure(sc *playbook.Scenario) error {
	for _, a := range sc.Assume {
		check, err := c.check(a.Check)
		if err != nil {
			return fmt.Errorf("assumption %q: %w", a.Text, err)
		}
		c.plan.Assumptions = append(c.plan.Assumptions, Assumption{Text: a.Text, Check: check})
	}
	check, err := c.check(sc.Fault)
	if err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	if check == nil {
		return nil
	}
	where, err := c.text(sc.Fault.Where)
	if err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	spec, err := fault.Spec{Kind: check.Kind, Config: check.Config}.At(where)
	c.plan.Fault = &spec
	return err
}

func (c *compiler) digests(scenario string) error {
	parts, err := playbook.Closure(c.pb, scenario, c.environment)
	if err != nil {
		return err
	}
	c.plan.Parts, c.plan.Closure = parts, parts.Digest()
	c.plan.Substance = playbook.Substance(c.pb).Digest()
	return nil
}

// text fills in what is known now. Captures and the time of the outage are marked, to be filled in later.
func (c *compiler) text(s string) (string, error) {
	return playbook.Expand(s, c.lookup)
}

func (c *compiler) lookup(name string) (string, bool) {
	if slices.Contains(c.captures, name) || name == "since" {
		return mark(name), true
	}
	if v, ok := c.env.Vars.Get(name); ok {
		return c.nested(*v), true
	}
	v, ok := c.values[name]
	return v, ok
}

// nested fills in the variables that a variable's own text names, one level deep.
func (c *compiler) nested(v string) string {
	out, err := playbook.Expand(v, func(name string) (string, bool) {
		if inner, ok := c.env.Vars.Get(name); ok {
			return *inner, true
		}
		inner, ok := c.values[name]
		return inner, ok
	})
	if err != nil {
		return v
	}
	return out
}

func (c *compiler) texts(list []string) ([]string, error) {
	var out []string
	for _, s := range list {
		filled, err := c.text(s)
		if err != nil {
			return nil, err
		}
		out = append(out, filled)
	}
	return out, nil
}

func (c *compiler) check(s *playbook.Spec) (*Check, error) {
	if s == nil {
		return nil, nil
	}
	filled, err := s.Expand(c.lookup)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(filled.Config)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", s.Kind, err)
	}
	return &Check{Kind: s.Kind, Config: raw}, nil
}
