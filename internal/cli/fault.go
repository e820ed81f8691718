package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/targets"
)

type faultOptions struct {
	JSON bool
}

func newFault(app *App) *cobra.Command {
	return group("fault", "See, plan and take back faults",
		newFaultPlan(app), newFaultList(app), newFaultRevert(app), newFaultSweep(app), newFaultDiscard(app), newFaultCapabilities(app))
}

// FaultJSON is one fault as --json prints it.
type FaultJSON struct {
	ID         string         `json:"id"`
	Target     string         `json:"target"`
	Class      fault.Class    `json:"class"`
	State      fault.State    `json:"state"`
	Since      time.Time      `json:"since"`
	Limit      string         `json:"limit"`
	Fidelity   fault.Fidelity `json:"fidelity"`
	Exercise   string         `json:"exercise,omitempty"`
	Confirmed  string         `json:"confirmed,omitempty"`
	Cause      string         `json:"cause,omitempty"`
	Superseded []string       `json:"superseded,omitempty"`
	Kept       []string       `json:"kept,omitempty"`
	Discarded  []string       `json:"discarded,omitempty"`
	Residue    []string       `json:"residue,omitempty"`
	Error      string         `json:"error,omitempty"`
}

// faultsJSON is what list, sweep and halt print: {"faults": [...]}, never null.
func faultsJSON(all []fault.Status) map[string][]FaultJSON {
	out := []FaultJSON{}
	for _, s := range all {
		out = append(out, faultJSON(s))
	}
	return map[string][]FaultJSON{"faults": out}
}

func faultJSON(s fault.Status) FaultJSON {
	return FaultJSON{
		ID: s.ID, Target: s.Target, Class: s.Class, State: s.State, Since: s.Since, Limit: s.Limit.String(),
		Fidelity: s.Fidelity, Exercise: s.Exercise, Confirmed: s.Confirmed, Cause: s.Cause,
		Superseded: s.Superseded, Kept: s.Kept, Discarded: s.Discarded, Residue: s.Residue, Error: s.Error,
	}
}

func newFaultList(app *App) *cobra.Command {
	var o faultOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the faults that are held and those that ended lately",
		Long: `List the faults that are held on this machine and those that ended lately, oldest first. A fault that was left
behind by a crash is taken back first.`,
		Example: `  $ belay fault list
  $ belay fault list --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runFaultList(cmd.Context(), app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runFaultList(ctx context.Context, app *App, o faultOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	swept := sweepFirst(ctx, app, dir)
	all, err := hold.List(dir)
	err = errors.Join(swept, err)
	if o.JSON {
		return errors.Join(app.JSON(faultsJSON(all)), err)
	}
	out := app.Out()
	if len(all) == 0 && err == nil {
		out.Line("No fault was ever held on this machine.")
		return nil
	}
	t := out.Table("id", "state", "target", "since", "limit", "ended by")
	for _, s := range all {
		t.Row(s.ID, string(s.State), s.Target, s.Since.Format(time.RFC3339), s.Limit.String(), s.Cause)
	}
	t.Print()
	kept := ""
	for _, s := range all {
		if len(s.Kept)+len(s.Residue) > 0 || s.Error != "" {
			explainEnd(out.Line, s)
		}
		if len(s.Kept) > 0 {
			kept = s.ID
		}
	}
	if kept != "" {
		out.Line("When nobody needs an original any more, for example: belay fault discard %s", kept)
	}
	return err
}

// sweepFirst takes back what a crash left behind, and says so on standard error. Every command that touches faults
// begins with it.
func sweepFirst(ctx context.Context, app *App, dir string) error {
	swept, err := hold.Sweep(ctx, dir)
	for _, st := range swept {
		explainEnd(func(format string, args ...any) { app.Err().Line("belay: swept: "+format, args...) }, st)
	}
	return haltError(err)
}

func newFaultSweep(app *App) *cobra.Command {
	var o faultOptions
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Take back the faults that a crash left behind",
		Long: `Take back every fault whose holder and reaper are both gone, for example after a power loss. Faults that are being
held are left alone; ` + "`belay halt`" + ` ends those.`,
		Example: `  $ belay fault sweep`,
		RunE:    func(cmd *cobra.Command, args []string) error { return runFaultSweep(cmd.Context(), app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runFaultSweep(ctx context.Context, app *App, o faultOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	swept, err := hold.Sweep(ctx, dir)
	if o.JSON {
		return errors.Join(app.JSON(faultsJSON(swept)), haltError(err))
	}
	out := app.Out()
	if len(swept) == 0 && err == nil {
		out.Line("Nothing was left behind.")
	}
	for _, st := range swept {
		explainEnd(out.Line, st)
	}
	return haltError(err)
}

func newFaultRevert(app *App) *cobra.Command {
	var o faultOptions
	cmd := &cobra.Command{
		Use:   "revert ID",
		Short: "Take one fault back now",
		Example: `  $ belay fault list
  $ belay fault revert f-uphrvzowgi`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runFaultRevert(cmd.Context(), app, args[0], o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runFaultRevert(ctx context.Context, app *App, id string, o faultOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	st, err := hold.Revert(ctx, dir, id)
	if errors.Is(err, fs.ErrNotExist) {
		return Hint(fmt.Errorf("no fault %q on this machine", id), "`belay fault list` shows the faults")
	}
	if err != nil && !errors.Is(err, fault.ErrNotReverted) {
		return err
	}
	if o.JSON {
		return errors.Join(app.JSON(faultJSON(st)), haltError(err))
	}
	explainEnd(app.Out().Line, st)
	return haltError(err)
}

func newFaultCapabilities(app *App) *cobra.Command {
	var o faultOptions
	cmd := &cobra.Command{
		Use:     "capabilities",
		Short:   "List the faults that can be made here",
		Example: `  $ belay fault capabilities`,
		RunE:    func(cmd *cobra.Command, args []string) error { return runFaultCapabilities(app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runFaultCapabilities(app *App, o faultOptions) error {
	if o.JSON {
		return app.JSON(map[string]any{"capabilities": targets.Capabilities()})
	}
	t := app.Out().Table("fault", "class", "effect")
	for _, c := range targets.Capabilities() {
		t.Row(c.Fault, string(c.Class), c.Effect)
	}
	t.Print()
	return nil
}
