package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/playbook"
)

type faultPlanOptions struct {
	Dir         string
	Environment string
	Spec        string
	Scenario    string
	JSON        bool
}

func newFaultPlan(app *App) *cobra.Command {
	var o faultPlanOptions
	cmd := &cobra.Command{
		Use:   "plan [SCENARIO]",
		Short: "Show exactly what a fault would change, and change nothing",
		Long: `Show exactly what a fault would change, and change nothing. The fault is a scenario's, or the one given with --spec.
A fault that would be refused is refused here, with the same words.`,
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
		return Exit(Usage, err)
	}
	plan, err := target.Plan(ctx, fault.Ask{ID: "ID"})
	if err != nil {
		return Exit(Refused, fmt.Errorf("plan fault: %w", err))
	}
	if o.JSON {
		return app.JSON(map[string]any{
			"target": plan.Target, "class": plan.Class, "fidelity": plan.Fidelity,
			"changes": plan.Changes, "touches": plan.Touches,
		})
	}
	out := app.Out()
	out.Line("%s (%s, %s)", plan.Target, plan.Class, plan.Fidelity)
	for _, c := range plan.Changes {
		out.Line("  would %s", c)
	}
	out.Line("Nothing was changed.")
	return nil
}

// planSpec is the fault to plan, with its placeholders filled in.
func planSpec(app *App, o faultPlanOptions) (spec fault.Spec, err error) {
	if o.Spec != "" {
		if err := json.Unmarshal([]byte(o.Spec), &spec); err != nil {
			return spec, Exit(Usage, fmt.Errorf("read --spec: %w", err))
		}
		return spec, nil
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
