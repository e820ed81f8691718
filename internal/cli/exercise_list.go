package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
)

type exerciseListOptions struct {
	Dir  string
	JSON bool
}

// exerciseRow is one exercise of the ledger: closed, going on, or dead.
type exerciseRow struct {
	ID          string           `json:"id"`
	Scenario    string           `json:"scenario"`
	Environment string           `json:"environment"`
	Mode        exercise.Mode    `json:"mode"`
	Started     string           `json:"started"`
	Phase       exercise.Phase   `json:"phase"`
	Verdict     exercise.Verdict `json:"verdict,omitempty"`
	Why         string           `json:"why,omitempty"`
	// Interrupted says that its process is gone and it is not closed.
	Interrupted bool `json:"interrupted,omitempty"`

	result *exercise.Result
	record string
	open   local.Opening
}

func newExerciseList(app *App) *cobra.Command {
	var o exerciseListOptions
	cmd := &cobra.Command{
		Use: "list", Short: "List every exercise, whatever its verdict", Args: cobra.NoArgs,
		Example: `  $ belay exercise list
  $ belay exercise list --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return listExercises(cmd.Context(), app, o) },
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func listExercises(ctx context.Context, app *App, o exerciseListOptions) error {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	rows, err := exerciseRows(ctx, w)
	if err != nil {
		return err
	}
	if o.JSON {
		return app.JSON(map[string]any{"exercises": rows})
	}
	out := app.Out()
	if len(rows) == 0 {
		out.Line("No exercise yet. Next: belay exercise run SCENARIO --env ENVIRONMENT")
		return nil
	}
	t := out.Table("id", "scenario", "environment", "mode", "started", "verdict", "why")
	for _, r := range rows {
		verdict := out.Word(string(r.Verdict))
		if r.Verdict == "" {
			verdict = "going on"
			if r.Interrupted {
				verdict, r.Why = "interrupted", "next: belay exercise resume "+r.ID+inDir(o.Dir)
			}
		}
		t.Row(r.ID, r.Scenario, r.Environment, string(r.Mode), out.When(r.open.Wall), verdict, r.Why)
	}
	t.Print()
	return nil
}

// exerciseRows reads every exercise out of the ledger, oldest first.
func exerciseRows(ctx context.Context, w *Workspace) ([]exerciseRow, error) {
	records, err := w.Records(ctx, evidence.Filter{Kinds: []string{evidence.KindStarted, evidence.KindExercise}})
	if err != nil {
		return nil, err
	}
	rows := []exerciseRow{}
	at := map[string]int{}
	for _, rec := range records {
		switch rec.Kind {
		case evidence.KindStarted:
			var o local.Opening
			if err := json.Unmarshal(rec.Payload, &o); err != nil {
				return nil, fmt.Errorf("read exercise %s: %w", rec.Subject, err)
			}
			at[rec.Subject] = len(rows)
			rows = append(rows, exerciseRow{
				ID: o.Plan.ID, Scenario: o.Plan.Scenario, Environment: o.Plan.Environment, Mode: o.Plan.Mode,
				Started: o.Wall.Format("2006-01-02T15:04:05Z07:00"), open: o,
			})
		case evidence.KindExercise:
			var r exercise.Result
			if err := json.Unmarshal(rec.Payload, &r); err != nil {
				return nil, fmt.Errorf("read exercise %s: %w", rec.Subject, err)
			}
			if i, ok := at[rec.Subject]; ok {
				rows[i].Verdict, rows[i].Why, rows[i].Phase, rows[i].result = r.Verdict, r.Why, exercise.Closed, &r
				rows[i].record = rec.ID
			}
		}
	}
	for i := range rows {
		if rows[i].result != nil {
			continue
		}
		running, err := local.Running(w.Dir, rows[i].Environment)
		if err != nil {
			return nil, err
		}
		rows[i].Interrupted = running != rows[i].ID
	}
	return rows, nil
}

// MarshalJSON writes a closed exercise as its result, and another as what is known of it.
func (r exerciseRow) MarshalJSON() ([]byte, error) {
	if r.result != nil {
		return json.Marshal(exerciseJSON{*r.result, r.record})
	}
	type open exerciseRow
	return json.Marshal(open(r))
}

type exerciseShowOptions struct {
	exerciseListOptions
	ID string
}

func newExerciseShow(app *App) *cobra.Command {
	var o exerciseShowOptions
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one exercise: its verdict, its steps, its time line", Args: cobra.ExactArgs(1),
		Example: `  $ belay exercise show 01JD0000000000000000000000`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ID = args[0]
			return showExercise(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func showExercise(ctx context.Context, app *App, o exerciseShowOptions) error {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	rows, err := exerciseRows(ctx, w)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.ID != o.ID {
			continue
		}
		state, err := replay(ctx, w, o.ID)
		if err != nil {
			return err
		}
		view := exercise.Show(state, state.Now)
		if o.JSON {
			if r.result != nil {
				return app.JSON(exerciseJSON{*r.result, exerciseRecord(ctx, w, o.ID)})
			}
			return app.JSON(view)
		}
		out := app.Out()
		if r.result != nil {
			showResult(out, *r.result, exerciseRecord(ctx, w, o.ID), o.Dir)
		} else if r.Interrupted {
			out.Line("%s was interrupted in phase %s. Next: belay exercise resume %s%s", o.ID, state.Phase, o.ID, inDir(o.Dir))
		} else {
			out.Line("%s is going on, in phase %s", o.ID, state.Phase)
		}
		showSteps(app, view)
		return nil
	}
	return Hint(Exitf(Usage, "no exercise %q", o.ID), "see `belay exercise list`")
}

// replay makes the state of an exercise from its journal.
func replay(ctx context.Context, w *Workspace, id string) (exercise.State, error) {
	var o local.Opening
	var events []exercise.Event
	err := w.reading(ctx, func(db *sqlite.DB) (err error) {
		o, events, err = local.Read(ctx, db, id)
		return err
	})
	if err != nil && !errors.Is(err, local.ErrClosed) {
		return exercise.State{}, err
	}
	s := exercise.New(o.Plan)
	for _, e := range events {
		s, _ = exercise.Step(s, e)
	}
	return s, nil
}

// showSteps prints the step table and the time line.
func showSteps(app *App, v exercise.View) {
	out := app.Out()
	out.Line("")
	t := out.Table("procedure", "step", "state", "from", "took", "by", "text")
	for _, s := range v.Steps {
		from, took := "", ""
		if s.EndMS > 0 {
			from, took = msText(out, s.StartMS), msText(out, s.EndMS-s.StartMS)
		}
		text := s.Text
		if s.Choice != "" {
			text += " -> " + s.Choice
		}
		if s.Why != "" && s.State != exercise.StepDone {
			text += " (" + s.Why + ")"
		}
		t.Row(s.Procedure, s.ID, out.Word(s.State), from, took, s.By, text)
	}
	t.Print()
	out.Line("")
	p := &plainProgress{out: out}
	quiet := v
	quiet.Steps = nil
	p.show(quiet)
}
