package cli

import (
	"github.com/belay-dr/belay/fault/targets"
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault/hold"
)

// newHoldInternal is the holder of a fault inside this binary: Belay starts itself as one.
func newHoldInternal(app *App) *cobra.Command {
	return &cobra.Command{
		Use:                "hold-internal",
		Short:              "Hold one fault for as long as standard input stays open",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := hold.Main(all.Kinds(), targets.Workers(), args, app.Stdin, app.Stdout, app.Stderr); code != 0 {
				return Exit(Code(code), nil) // it has said what is wrong
			}
			return nil
		},
	}
}
