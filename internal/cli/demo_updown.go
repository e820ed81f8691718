package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/examples/bookstore"
)

type demoDirOptions struct {
	Dir  string
	JSON bool
}

// newDemoUp is `belay demo up`.
func newDemoUp(app *App) *cobra.Command {
	var o demoDirOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the Bookstore and its playbook, to try every command by hand",
		Long: `Start the Bookstore on this machine: its API, its database and its CDN, each a process that listens on 127.0.0.1
only, and its playbook, with the environment staging. It returns once the shop is healthy; the processes go on until
` + "`belay demo down`" + `. Calling it again starts what is not running.`,
		Example: `  $ belay demo up --dir shop
  $ belay exercise run api-failure --dir shop --env staging --mode automatic
  $ belay demo down --dir shop`,
		RunE: func(cmd *cobra.Command, args []string) error { return runDemoUp(cmd.Context(), app, o) },
	}
	demoDirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

// newDemoDown is `belay demo down`.
func newDemoDown(app *App) *cobra.Command {
	var o demoDirOptions
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop the Bookstore in a directory",
		Long:    "Stop the Bookstore and leave none of its processes. Its playbook, its data and the evidence stay.",
		Example: `  $ belay demo down --dir shop`,
		RunE:    func(cmd *cobra.Command, args []string) error { return runDemoDown(cmd.Context(), app, o) },
	}
	demoDirFlag(cmd, &o.Dir)
	return cmd
}

func demoDirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", "", "`directory` of the Bookstore")
	if err := cmd.MarkFlagRequired("dir"); err != nil {
		panic(err) // the flag was defined in the line above
	}
}

// bookstoreExe is the command line that runs the Bookstore: this program's hidden command.
func bookstoreExe(app *App) []string { return append(append([]string{}, app.Exe...), "bookstore") }

func runDemoUp(ctx context.Context, app *App, o demoDirOptions) error {
	info, err := startBookstore(ctx, app, o.Dir, false)
	if err != nil {
		return err
	}
	if o.JSON {
		return app.JSON(info)
	}
	_, err = fmt.Fprintf(app.outlet, "The Bookstore is up, with its playbook in %s (environment staging).\n%s\nNext: belay exercise run api-failure --dir %s --env staging --mode automatic\n",
		info.Dir, info, shellWord(o.Dir))
	return err
}

func runDemoDown(ctx context.Context, app *App, o demoDirOptions) error {
	if _, err := bookstore.ReadInfo(o.Dir); errors.Is(err, fs.ErrNotExist) {
		return Exitf(Usage, "there is no Bookstore in %s", o.Dir)
	}
	if err := bookstore.Down(ctx, o.Dir); err != nil {
		return err
	}
	app.Out().Line("The Bookstore in %s is stopped. Its playbook, its data and the evidence are kept.", o.Dir)
	return nil
}
