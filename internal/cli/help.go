package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// overview is what `belay` alone prints.
func overview(app *App, root *cobra.Command) error {
	_, err := fmt.Fprintln(app.Stdout, root.Short)
	return err
}

// showHelp is the help of one command.
func showHelp(app *App, cmd *cobra.Command) {
	fmt.Fprintln(app.Stdout, cmd.Short)
}

// topics are the pages of `belay help TOPIC`.
func topics() []*cobra.Command { return nil }
