package cli

import (
	"context"
	"errors"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
)

type haltOptions struct {
	JSON bool
}

func newHalt(app *App) *cobra.Command {
	var o haltOptions
	cmd := &cobra.Command{
		Use:   "halt",
		Short: "End every held fault on this machine now",
		Long: `End every held fault on this machine now, whoever holds it and whatever exercise it belongs to.

Each holder is asked to end its fault. One that does not answer is killed, and its fault is ended here. What
somebody has changed since the fault was made is left alone. The exit code is 9 when a fault could not be taken
back; the last lines then say what is left and where.`,
		Example: `  $ belay halt
  $ belay halt --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runHalt(cmd.Context(), app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runHalt(ctx context.Context, app *App, o haltOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	ended, err := hold.Halt(ctx, all.Kinds(), dir)
	if o.JSON {
		return errors.Join(app.JSON(faultsJSON(ended)), haltError(err))
	}
	out := app.Out()
	if len(ended) == 0 && err == nil {
		out.Line("No fault is held on this machine.")
		return nil
	}
	for _, st := range ended {
		explainEnd(folded(out), st)
	}
	return haltError(err)
}

// haltError says what to do about a fault that is still there.
func haltError(err error) error {
	if errors.Is(err, fault.ErrNotReverted) {
		return Hint(err, "look at what is named above, then run `belay halt` again; `belay fault list` shows what is left")
	}
	return err
}

// explainEnd tells a tired person what became of a fault: one line, and one for each thing that needs a look.
func explainEnd(line func(string, ...any), st fault.Status) {
	switch st.State {
	case fault.Reverted:
		line("%s  %s: everything is back as it was", st.ID, st.Target)
	case fault.Ended:
		line("%s  %s: nothing to take back, the procedure has to bring it back", st.ID, st.Target)
	case fault.Superseded:
		line("%s  %s: changed by somebody else meanwhile, and left alone", st.ID, st.Target)
	case fault.Failed:
		line("%s  %s: FAILED: %s", st.ID, st.Target, st.Error)
	default:
		line("%s  %s: %s", st.ID, st.Target, st.State)
	}
	for _, s := range st.Superseded {
		line("    left alone: %s", s)
	}
	for _, s := range st.Kept {
		line("    original kept: %s", s)
	}
	for _, s := range st.Residue {
		line("    LEFT BEHIND: %s", s)
	}
}
