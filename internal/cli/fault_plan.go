package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/playbook"
)

type faultPlanOptions struct {
	Dir         string
	Environment string
	Spec        string
	Where       string
	Scenario    string
	JSON        bool
}

func newFaultPlan(app *App) *cobra.Command {
	var o faultPlanOptions
	cmd := &cobra.Command{
		Use:   "plan [SCENARIO]",
		Short: "Show exactly what a fault would change, and change nothing",
		Long: `Show exactly what a fault would change, and change nothing. The fault is a scenario's, or the one given with --spec.
A fault that would be refused is refused here, with the same words. With a scenario and --env the guard is asked, too.`,
		Example: `  $ belay fault plan api-failure --env staging
  $ belay fault plan --spec '{"file": {"lost": "/srv/app/data.db"}}'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Scenario = args[0]
			}
			if (o.Scenario == "") == (o.Spec == "") {
				return Hint(Exitf(Usage, "give a scenario or --spec, one of them"), "try `belay fault plan --help`")
			}
			return runFaultPlan(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().StringVar(&o.Environment, "env", "", "`environment` whose values fill the scenario's placeholders")
	cmd.Flags().StringVar(&o.Spec, "spec", "", "the fault as JSON, for example {\"process\": {\"kill\": {\"pid_file\": \"/run/app.pid\"}}}")
	cmd.Flags().StringVar(&o.Where, "where", "", "the `host` of --spec, for example ssh://ops@app-1 (default: here)")
	return cmd
}

func runFaultPlan(ctx context.Context, app *App, o faultPlanOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	if err := sweepFirst(ctx, app, dir); err != nil {
		return err
	}
	spec, err := planSpec(app, o)
	if err != nil {
		return err
	}
	target, err := all.Kinds().Decode(spec)
	if err != nil {
		return Exit(Usage, meant(err, spec))
	}
	plan, err := target.Plan(ctx, fault.Ask{ID: "plan-" + strings.ToLower(rand.Text()[:8]), NoPlaybook: "plan"})
	if err == nil {
		err = hold.Apart(dir, plan.Touches)
	}
	if err != nil {
		return Hint(Exit(Refused, fmt.Errorf("plan fault: %w", err)), "nothing was changed; `belay fault capabilities` says what can be made here, and why not")
	}
	guard, asked := o.guard(ctx, app)
	if o.JSON {
		plan.Undo = nil // it is for the holder
		return app.JSON(planJSON{plan, guard, asked})
	}
	showPlan(app.Out(), plan)
	if asked {
		showGuard(app.Out(), guard)
	}
	app.Out().Line("Nothing was changed.")
	return nil
}

// meant adds the kind that was probably meant to the error about an unknown one.
func meant(err error, spec fault.Spec) error {
	if errors.Is(err, fault.ErrUnknown) {
		for kind := range all.Kinds() {
			if distance(spec.Kind, kind) <= 2 {
				return Hint(err, "did you mean %s?", kind)
			}
		}
	}
	return err
}

// planJSON is what --json prints. Guard is what the guard of an exercise would say now; Asked is false without a scenario and an environment.
type planJSON struct {
	fault.Plan
	Guard []exercise.Refusal `json:"guard"`
	Asked bool               `json:"guard_asked"`
}

// guard asks what the guard would say to an exercise of the scenario now.
func (o faultPlanOptions) guard(ctx context.Context, app *App) (refusals []exercise.Refusal, asked bool) {
	if o.Scenario == "" || o.Environment == "" {
		return []exercise.Refusal{}, false
	}
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return []exercise.Refusal{}, false
	}
	defer w.Close()
	_, err = app.clear(ctx, w, o.Scenario, o.Environment, exercise.Guided, exercise.CompileOptions{Runner: runnerName(app), Now: app.Clock.Now()})
	var refused *exercise.Refused
	switch {
	case errors.As(err, &refused):
		return refused.Refusals, true
	case err != nil:
		return []exercise.Refusal{{Rule: "plan", Why: err.Error()}}, true
	}
	return []exercise.Refusal{}, true
}

// showPlan says what would happen, how it ends, and who feels it.
func showPlan(out *term.Printer, p fault.Plan) {
	out.Text(2, out.Bold(visible(p.Target)))
	for _, c := range p.Changes {
		out.Text(2, visible("would "+c))
	}
	row := func(name, format string, args ...any) {
		out.Text(14, visible(fmt.Sprintf("  %-12s", name)+fmt.Sprintf(format, args...)))
	}
	row("class", "%s (%s)", p.Class, endWords(p))
	row("fidelity", "%s", p.Fidelity)
	if p.Mechanism != "" {
		row("mechanism", "%s", p.Mechanism)
	}
	if len(p.Needs) > 0 {
		row("needs", "%s", strings.Join(p.Needs, ", "))
	}
	for _, r := range p.Radius {
		row("feels it", "%s", r)
	}
	for _, t := range p.Touches {
		row("changes", "%s", t)
	}
	for _, c := range p.Claims {
		row("locks", "%s", c)
	}
	if p.Production != "" {
		row("production", "%s", p.Production)
	}
}

// endWords says how a fault ends when nobody is left to end it.
func endWords(p fault.Plan) string {
	switch {
	case p.Class == fault.OneShot:
		return "nothing takes it back; the procedure has to"
	case p.KernelEnds:
		return "the kernel takes it back when its holder dies"
	case p.Elsewhere && p.EndsThere:
		return "it lives in another system's API, with a deadline there"
	case p.Elsewhere:
		return "it lives in another system's API, without a deadline there"
	}
	return "the reaper takes it back when its holder dies, and a sweep after a crash of the host"
}

func showGuard(out *term.Printer, refusals []exercise.Refusal) {
	if len(refusals) == 0 {
		out.Line("The guard would let an exercise begin.")
		return
	}
	out.Line("The guard would refuse an exercise now:")
	for _, r := range refusals {
		out.Text(2, r.Rule+": "+r.Why)
	}
}

// planSpec is the fault to plan, with its placeholders filled in.
func planSpec(app *App, o faultPlanOptions) (spec fault.Spec, err error) {
	if o.Spec != "" {
		return readSpec(o.Spec, o.Where)
	}
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return spec, err
	}
	defer w.Close()
	pb, err := w.Playbook()
	if err != nil {
		return spec, err
	}
	s, ok := pb.Scenarios.Get(o.Scenario)
	if !ok {
		return spec, Hint(Exitf(Usage, "no scenario %q", o.Scenario), "the playbook has %s", strings.Join(pb.Scenarios.IDs(), ", "))
	}
	if s.Fault == nil {
		return spec, Exitf(Usage, "scenario %q has no fault", o.Scenario)
	}
	lookup, err := environmentValues(pb, o.Environment)
	if err != nil {
		return spec, err
	}
	expanded, err := s.Fault.Expand(lookup)
	if err != nil {
		return spec, Hint(Exit(Usage, err), "--env names the environment whose values are used")
	}
	return faultSpec(expanded)
}

// readSpec reads a fault that was given on the command line.
func readSpec(text, where string) (spec fault.Spec, err error) {
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return spec, Hint(Exit(Usage, fmt.Errorf("read --spec: %w", fault.PlainJSON(err))), `it is one fault as JSON, for example {"process": {"stop": {"pid_file": "/run/app.pid"}}}`)
	}
	if names := placeholder.FindString(text); names != "" {
		return spec, Hint(Exitf(Usage, "read --spec: %s has no value here", names), "write the value, or plan the scenario with --env")
	}
	return spec.At(where)
}

// placeholder is what only a playbook can fill in.
var placeholder = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_.-]*\}`)

// environmentValues looks names up among an environment's values. Without an environment nothing is known.
func environmentValues(pb *playbook.Playbook, name string) (func(string) (string, bool), error) {
	if name == "" {
		return func(string) (string, bool) { return "", false }, nil
	}
	env, ok := pb.Environments.Get(name)
	if !ok {
		return nil, Hint(Exitf(Usage, "no environment %q", name), "the playbook has %s", strings.Join(pb.Environments.IDs(), ", "))
	}
	return func(key string) (string, bool) {
		v, ok := env.Vars.Get(key)
		if !ok {
			return "", false
		}
		return *v, true
	}, nil
}

// faultSpec is a playbook's fault as the holder reads it.
func faultSpec(s playbook.Spec) (spec fault.Spec, err error) {
	b, err := json.Marshal(s.Config)
	if err != nil {
		return spec, err
	}
	return fault.Spec{Kind: s.Kind, Config: b}.At(s.Where)
}
