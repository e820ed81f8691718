package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault/hold"
)

type faultDiscardOptions struct {
	faultOptions
	Yes bool
}

func newFaultDiscard(app *App) *cobra.Command {
	var o faultDiscardOptions
	cmd := &cobra.Command{
		Use:   "discard ID",
		Short: "Delete the originals that an ended fault keeps",
		Long: `Delete the originals that an ended fault keeps. A fault in a file puts the original aside. When a recovery has put
something else in its place, the original is kept, because it may be the only copy of that data. This command deletes
it for good. It says what it would delete, and does it with --yes.`,
		Example: `  $ belay fault list
  $ belay fault discard x-01JD0000000000000000000000
  $ belay fault discard x-01JD0000000000000000000000 --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runFaultDiscard(cmd.Context(), app, args[0], o) },
	}
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().BoolVar(&o.Yes, "yes", false, "delete them")
	return cmd
}

func runFaultDiscard(ctx context.Context, app *App, id string, o faultDiscardOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	st, found, err := hold.Find(dir, id)
	if err != nil {
		return err
	}
	if !found {
		return noFault(id)
	}
	if !o.Yes && len(st.Kept) > 0 {
		if o.JSON {
			return errors.Join(app.JSON(faultJSON(st)), unsure(id))
		}
		for _, path := range st.Kept {
			app.Out().Line("would delete %s", path)
		}
		return unsure(id)
	}
	st, err = hold.Discard(ctx, all.Kinds(), dir, id)
	switch {
	case errors.Is(err, fs.ErrNotExist) && st.ID == "":
		return noFault(id)
	case errors.Is(err, hold.ErrRefused):
		return Hint(Exit(Refused, err), "`belay halt` ends every fault")
	case err != nil:
		return err
	}
	if o.JSON {
		return app.JSON(faultJSON(st))
	}
	if len(st.Discarded) == 0 {
		app.Out().Line("%s keeps nothing.", id)
	}
	for _, path := range st.Discarded {
		app.Out().Line("deleted %s", path)
	}
	return nil
}

func noFault(id string) error {
	return Hint(Exit(Usage, fmt.Errorf("no fault %q on this machine", id)), "`belay fault list --all` shows the faults")
}

// unsure is the answer without --yes: nothing was deleted.
func unsure(id string) error {
	return Hint(Exitf(Refused, "nothing was deleted"), "`belay fault discard %s --yes` deletes it for good", id)
}
