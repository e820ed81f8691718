package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/reach/identity"
)

type exerciseResumeOptions struct {
	exerciseOptions
	ID  string
	Why string
}

func newExerciseResume(app *App) *cobra.Command {
	var o exerciseResumeOptions
	cmd := &cobra.Command{
		Use: "resume ID", Short: "Go on with an exercise whose process died", Args: cobra.ExactArgs(1),
		Long: `Go on with an exercise whose process died. Its fault ended with the process; if that was before the service
recovered, the exercise is invalid and is closed as such. Otherwise it goes on where it was.`,
		Example: `  $ belay exercise resume 01JD0000000000000000000000`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ID = args[0]
			return resumeExercise(cmd.Context(), app, o)
		},
	}
	o.flags(app, cmd)
	return cmd
}

func newExerciseAbort(app *App) *cobra.Command {
	var o exerciseResumeOptions
	cmd := &cobra.Command{
		Use: "abort ID", Short: "Stop an exercise that is going on, or close one whose process died", Args: cobra.ExactArgs(1),
		Long: `Stop an exercise from another terminal: its fault is ended, what was seen is measured, and it is closed. An
exercise whose process died is closed from here.`,
		Example: `  $ belay exercise abort 01JD0000000000000000000000 --why "a real incident began"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ID = args[0]
			return abortExercise(cmd.Context(), app, o)
		},
	}
	o.flags(app, cmd)
	cmd.Flags().StringVar(&o.Why, "why", "aborted", "`reason` that is kept with the exercise")
	return cmd
}

func resumeExercise(ctx context.Context, app *App, o exerciseResumeOptions) error {
	w, opts, finish, err := app.pickUp(ctx, o)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := local.Resume(ctx, opts, o.ID)
	finish()
	return app.finish(ctx, w, r, journalError(err), o.JSON)
}

func abortExercise(ctx context.Context, app *App, o exerciseResumeOptions) error {
	w, opts, finish, err := app.pickUp(ctx, o)
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := local.Abort(ctx, opts, o.ID, o.runner(app), o.Why)
	finish()
	if err := journalError(err); err != nil || r.Verdict == "" {
		return err
	}
	err = app.finish(ctx, w, r, nil, o.JSON)
	if r.Verdict != "" && codeOf(err) == Refused {
		return nil // the exercise was to be stopped, and it is
	}
	return err
}

// pickUp prepares to go on with an exercise of an earlier process.
func (app *App) pickUp(ctx context.Context, o exerciseResumeOptions) (*Workspace, local.Options, func(), error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return nil, local.Options{}, nil, err
	}
	opts, finish, err := app.pickUpIn(ctx, w, o)
	if err != nil {
		w.Close()
		return nil, opts, nil, err
	}
	return w, opts, finish, nil
}

func (app *App) pickUpIn(ctx context.Context, w *Workspace, o exerciseResumeOptions) (local.Options, func(), error) {
	dir, err := hold.DefaultDir()
	if err != nil {
		return local.Options{}, nil, err
	}
	if err := sweepFirst(ctx, app, dir); err != nil {
		return local.Options{}, nil, err
	}
	ledger, err := w.Ledger(ctx)
	if err != nil {
		return local.Options{}, nil, err
	}
	opening, _, err := local.Read(ctx, ledger, o.ID)
	if err != nil {
		return local.Options{}, nil, journalError(err)
	}
	opts := local.Options{Plan: opening.Plan, Dir: w.Dir, Ledger: ledger, Clock: app.Clock, Faults: launcher(app), Identity: identity.Differs}
	mode := opening.Plan.Mode
	if o.Why != "" {
		mode = exercise.Automatic // nobody is asked while an exercise is being ended
	}
	finish, err := app.stage(&opts, o.exerciseOptions, mode, "")
	return opts, finish, err
}

// journalError gives the mistakes of naming an exercise their exit code.
func journalError(err error) error {
	switch {
	case errors.Is(err, local.ErrNotFound):
		return Hint(Exit(Usage, err), "see `belay exercise list`")
	case errors.Is(err, local.ErrClosed):
		return Hint(Exit(Refused, err), "see `belay exercise show`")
	}
	return err
}
