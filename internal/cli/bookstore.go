package cli

import (
	"os"
	"os/signal"
	"syscall"

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
			// Its processes end at the first signal, as any server does; belay's own commands end tidily instead.
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			code := bookstore.Main(args, app.Stdin, app.Stdout, app.Stderr)
			if code == 0 {
				return nil
			}
			return Exit(Code(code), nil) // it has said what is wrong
		},
	}
}
