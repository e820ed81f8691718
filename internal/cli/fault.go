package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/internal/cli/term"
)

type faultOptions struct {
	JSON bool
}

func newFault(app *App) *cobra.Command {
	return group("fault", "See, plan and take back faults",
		newFaultPlan(app), newFaultHold(app), newFaultList(app), newFaultRevert(app), newFaultSweep(app), newFaultDiscard(app), newFaultCapabilities(app))
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
	Mechanism  string         `json:"mechanism,omitempty"`
	KernelEnds bool           `json:"kernel_ends,omitempty"`
	Radius     []string       `json:"radius,omitempty"`
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
		Fidelity: s.Fidelity, Mechanism: s.Mechanism, KernelEnds: s.KernelEnds, Radius: s.Radius, Exercise: s.Exercise, Confirmed: s.Confirmed, Cause: s.Cause,
		Superseded: s.Superseded, Kept: s.Kept, Discarded: s.Discarded, Residue: s.Residue, Error: s.Error,
	}
}

type faultListOptions struct {
	faultOptions
	All bool
}

func newFaultList(app *App) *cobra.Command {
	var o faultListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the faults that are held, and those that somebody must look at",
		Long: `List the faults on this machine that are held, that could not be taken back, or that keep an original, oldest first.
With --all also those that are over. A fault that was left behind by a crash is taken back first.`,
		Example: `  $ belay fault list
  $ belay fault list --all
  $ belay fault list --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runFaultList(cmd.Context(), app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().BoolVar(&o.All, "all", false, "also the faults that are over")
	return cmd
}

func runFaultList(ctx context.Context, app *App, o faultListOptions) error {
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	swept := sweepFirst(ctx, app, dir)
	all, err := hold.List(dir)
	if err == nil || swept == nil || err.Error() != swept.Error() { // one reason is said once
		err = errors.Join(swept, err)
	}
	shown := all
	if !o.All {
		shown = slices.DeleteFunc(slices.Clone(all), func(s fault.Status) bool { return settled(s, hold.Settled(dir, s.ID)) })
	}
	if o.JSON {
		return errors.Join(app.JSON(faultsJSON(shown)), err)
	}
	out := app.Out()
	switch {
	case len(shown) == 0 && err != nil:
	case len(all) == 0:
		out.Line("No fault was ever held on this machine.")
	case len(shown) == 0:
		out.Line("No fault is held on this machine. %s over: belay fault list --all", pluralIs(len(all)))
	default:
		showFaults(out, shown)
	}
	return err
}

// settled says that nobody has to look at a fault again. over says that its record is closed.
func settled(s fault.Status, over bool) bool {
	switch s.State {
	case fault.Reverted, fault.Superseded, fault.Ended:
		return len(s.Kept)+len(s.Residue) == 0 && s.Error == ""
	case fault.Failed: // one that did not come about, and of which nothing is left
		return len(s.Kept)+len(s.Residue) == 0 && over
	}
	return false
}

// pluralIs is "1 is" or "2 are".
func pluralIs(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}

func showFaults(out *term.Printer, shown []fault.Status) {
	t := out.Table("id", "state", "since", "limit", "ended by", "target")
	for _, s := range shown {
		t.Row(s.ID, out.Word(string(s.State)), out.When(s.Since), term.Duration(s.Limit), s.Cause, visible(s.Target))
	}
	t.Print()
	kept := ""
	for _, s := range shown {
		if len(s.Kept)+len(s.Residue) > 0 || s.Error != "" {
			explainEnd(folded(out), s)
		}
		if len(s.Kept) > 0 {
			kept = s.ID
		}
	}
	if kept != "" {
		out.Text(2, "When nobody needs an original any more, for example: belay fault discard "+kept)
	}
}

// folded writes lines that are wrapped on a terminal.
func folded(out *term.Printer) func(format string, args ...any) {
	return func(format string, args ...any) { out.Text(6, visible(fmt.Sprintf(format, args...))) }
}

// visible writes control characters as \x1b: the names of processes and files are chosen by others, and must not steer
// the terminal of whoever looks at them.
func visible(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// sweepFirst takes back what a crash left behind, and says so on standard error. Every command that touches faults
// begins with it.
func sweepFirst(ctx context.Context, app *App, dir string) error {
	swept, err := hold.Sweep(ctx, all.Kinds(), dir)
	for _, st := range swept {
		explainEnd(func(format string, args ...any) {
			app.Err().Line("%s", visible("belay: swept: "+fmt.Sprintf(format, args...)))
		}, st)
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
	swept, err := hold.Sweep(ctx, all.Kinds(), dir)
	if o.JSON {
		return errors.Join(app.JSON(faultsJSON(swept)), haltError(err))
	}
	out := app.Out()
	if len(swept) == 0 && err == nil {
		out.Line("Nothing was left behind.")
	}
	for _, st := range swept {
		explainEnd(folded(out), st)
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
	st, err := hold.Revert(ctx, all.Kinds(), dir, id)
	if errors.Is(err, fs.ErrNotExist) {
		return Hint(fmt.Errorf("no fault %q on this machine", id), "`belay fault list --all` shows the faults")
	}
	if err != nil && !errors.Is(err, fault.ErrNotReverted) {
		return err
	}
	if o.JSON {
		return errors.Join(app.JSON(faultJSON(st)), haltError(err))
	}
	explainEnd(folded(app.Out()), st)
	return haltError(err)
}
