package cli

import (
	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/examples/bookstore"
)

// newBookstore is the example application inside this binary, so that a demo needs nothing else.
func newBookstore(app *App) *cobra.Command {
	return &cobra.Command{
		Use:                "bookstore",
		Short:              "The example application",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			code := bookstore.Main(args, app.Stdin, app.Stdout, app.Stderr)
			if code == 0 {
				return nil
			}
			return Exit(Code(code), nil) // it has said what is wrong
		},
	}
}
