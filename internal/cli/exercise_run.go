package cli

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/reach/identity"
)

type exerciseRunOptions struct {
	exerciseOptions
	Scenario    string
	Environment string
	Mode        string
	Note        string
	DryRun      bool
	Limit       time.Duration
}

func newExerciseRun(app *App) *cobra.Command {
	var o exerciseRunOptions
	cmd := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Break what a scenario covers, recover it by the playbook, and measure",
		Long: `Break what a scenario covers, recover it by the playbook, and measure from outside.

In guided mode a person carries the steps out and says so: done, failed, skip, an option of a decision; note TEXT and
deviation TEXT are kept; run lets Belay carry the step out; stop ends the exercise safely, as Ctrl-C does.
In assisted mode Belay carries out what it can, in automatic mode everything.

The exit code is 0 when the verdict is PASS and 3 when it is another or the guard refuses.`,
		Example: `  $ belay exercise run api-failure --env staging --mode automatic
  $ belay exercise run api-failure --env staging --mode guided --as bob
  $ belay exercise run api-failure --env staging --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Scenario = args[0]
			return runExercise(cmd.Context(), app, o)
		},
	}
	o.flags(app, cmd)
	cmd.Flags().StringVar(&o.Environment, "env", "", "`environment` to exercise in")
	cmd.Flags().StringVar(&o.Mode, "mode", string(exercise.Guided), "the `mode`: guided, assisted or automatic")
	cmd.Flags().StringVar(&o.Note, "note", "", "a `remark` that is kept with the exercise")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "show exactly what would happen, and do nothing")
	cmd.Flags().DurationVar(&o.Limit, "limit", 0, "longest time the fault may be held (default: the environment's time box)")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was defined above
	}
	return cmd
}

func runExercise(ctx context.Context, app *App, o exerciseRunOptions) error {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	if !o.DryRun {
		dir, err := hold.DefaultDir()
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return Hint(Exitf(Refused, "make the directory of undo records: %w", err), "BELAY_STATE_DIR names another one")
		}
		if err := sweepFirst(ctx, app, dir); err != nil {
			return err
		}
	}
	if modes := []exercise.Mode{exercise.Guided, exercise.Assisted, exercise.Automatic}; !slices.Contains(modes, exercise.Mode(o.Mode)) {
		return Exitf(Usage, "there is no mode %q (there are: guided, assisted, automatic)", o.Mode)
	}
	now := app.Clock.Now()
	c, err := app.clear(ctx, w, o.Scenario, o.Environment, exercise.Mode(o.Mode), exercise.CompileOptions{
		ID: newExerciseID(now), Runner: o.runner(app), Now: now, Limit: o.Limit,
	})
	if o.DryRun && c.Plan.ID != "" {
		return dryRun(ctx, app, c.Plan, err, o.JSON)
	}
	if err != nil {
		return refusedError(err)
	}
	ledger, err := w.Ledger(ctx)
	if err != nil {
		return err
	}
	opts := local.Options{Plan: c.Plan, Permit: c.Permit, Dir: w.Dir, Ledger: ledger, Clock: app.Clock, Faults: launcher(app), Identity: identity.Differs}
	finish, err := app.stage(&opts, o.exerciseOptions, exercise.Mode(o.Mode), o.Note)
	if err != nil {
		return err
	}
	r, err := local.Run(ctx, opts)
	finish()
	return app.finish(ctx, w, r, err, o.JSON)
}

// stage connects an exercise to the people who watch it and answer it. Call the function it returns at the end.
func (app *App) stage(opts *local.Options, o exerciseOptions, mode exercise.Mode, note string) (func(), error) {
	inputs := make(chan local.Input, 1)
	out := app.Out()
	if o.JSON {
		out = app.Err()
	}
	show, end, err := newProgress(app, out, o, mode)
	if err != nil {
		return nil, err
	}
	p := newPrompt(app.Interactive, inputs, out)
	people := mode != exercise.Automatic
	if note != "" {
		inputs <- local.Input{Kind: local.SayNote, Text: note} // there is room for it
	}
	if people {
		go p.read(app.Stdin)
	}
	opts.Inputs = inputs
	opts.Observe = func(v exercise.View) {
		show(v)
		if people {
			p.show(v)
		}
	}
	opts.Passed = func(phase exercise.Phase) {
		if o.Progress == "json" {
			progressLine(app, opts.Plan.ID, phase)
		}
		pauseAt(app, phase)
	}
	return func() { end(); p.finish() }, nil
}

// word cuts the first word off a line.
func word(line string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimSpace(line), " ")
	return first, strings.TrimSpace(rest)
}
