package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/internal/clock"
)

// App is what a command may use of the world. Tests make one of their own.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Clock is where the time comes from.
	Clock clock.Clock
	// Env looks up an environment variable.
	Env func(name string) (string, bool)
	// Exe is the command line that starts this program again; the holder of a fault is started with it.
	Exe []string
	// Interactive says that standard input is a terminal, so that a person can be asked.
	Interactive bool

	// outlet is what everything but a started program writes to Stdout through.
	outlet *term.Outlet
}

// Main runs one command line and returns its exit code. It never ends the process.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := &App{
		Stdin: stdin, Stdout: stdout, Stderr: stderr,
		Clock: clock.System{}, Env: os.LookupEnv, Interactive: term.IsTerminal(stdin),
	}
	if exe, err := os.Executable(); err == nil {
		app.Exe = []string{exe}
	}
	return app.Run(ctx, args)
}

// Run runs one command line and returns its exit code.
func (app *App) Run(ctx context.Context, args []string) int {
	app.outlet = term.NewOutlet(app.Stdout)
	root := newRoot(app)
	root.SetArgs(args)
	root.SetIn(app.Stdin)
	root.SetOut(app.outlet)
	root.SetErr(app.Stderr)
	err := app.whole(root.ExecuteContext(ctx))
	app.report(err)
	return int(codeOf(err))
}

// whole makes it an error that not all of the output was written. An error that says something, or another exit code, goes
// before it.
func (app *App) whole(err error) error {
	lost := app.outlet.Err()
	switch {
	case lost == nil:
		return err
	case err == nil:
		return fmt.Errorf("write output: %w", lost)
	case err.Error() == "":
		return Exit(codeOf(err), fmt.Errorf("write output: %w", lost))
	}
	return err
}

// Out is the printer for standard output: it knows whether a person or a program reads it.
func (app *App) Out() *term.Printer {
	p := term.NewPrinter(app.Stdout, app.Env, app.Clock.Now())
	p.Writer = app.outlet
	return p
}

// Err is the printer for standard error.
func (app *App) Err() *term.Printer {
	return term.NewPrinter(app.Stderr, app.Env, app.Clock.Now())
}

// JSON writes v as one indented JSON object on standard output.
func (app *App) JSON(v any) error {
	enc := json.NewEncoder(app.outlet)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// report writes the error of a command to standard error: the mistakes of a playbook or the refusals of a guard one a line, then one that
// begins `belay: error:`, then at most one that begins `belay: hint:`.
func (app *App) report(err error) {
	if err == nil {
		return
	}
	for _, line := range reasons(err) {
		fmt.Fprintln(app.Stderr, line)
	}
	if text := message(err); text != "" {
		fmt.Fprintln(app.Stderr, "belay: error: "+text)
	}
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintln(app.Stderr, "belay: hint: "+h.hint)
	}
}

// dirFlag adds --dir, the workspace that every command works in.
func dirFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "dir", ".", "`directory` of the playbook")
}

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "json", false, "print JSON (the contract is docs/reference/json.md)")
}
