package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/internal/cli/term"
)

type faultHoldOptions struct {
	Spec    []string
	Where   string
	Netns   string
	Limit   time.Duration
	Because string
	JSON    bool
}

func newFaultHold(app *App) *cobra.Command {
	var o faultHoldOptions
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Hold a fault by hand, outside production, until you end it",
		Long: `Hold a fault by hand, to try it out or to learn what breaks. It ends with Ctrl-C, with this process, with its limit, or
with ` + "`belay halt`" + `, whichever comes first, and what it changed is put back. It belongs to no exercise and earns nothing.
Production is refused: there only an exercise may break something.

Several --spec are held together: they begin in this order and end at once.`,
		Example: `  $ belay fault hold --spec '{"process": {"stop": {"pid_file": "/run/app.pid"}}}' --limit 30s --because "what does the page show?"
  $ belay fault hold --where ssh://ops@app-1 --spec '{"network": {"partition": {"to": ["10.0.0.7:5432"]}}}' --limit 1m --because drill`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return runFaultHold(cmd.Context(), app, o) },
	}
	jsonFlag(cmd, &o.JSON)
	f := cmd.Flags()
	f.StringArrayVar(&o.Spec, "spec", nil, "the fault as `JSON`; may be given again")
	f.StringVar(&o.Where, "where", "", "the `host` where it is made, for example ssh://ops@app-1 (default: here)")
	f.StringVar(&o.Netns, "netns", "", "the network namespace, by `name`, for faults of the network")
	f.DurationVar(&o.Limit, "limit", 0, "the longest it may be held")
	f.StringVar(&o.Because, "because", "", "the `reason`; it is kept with the fault")
	for _, name := range []string{"spec", "limit", "because"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

func runFaultHold(ctx context.Context, app *App, o faultHoldOptions) error {
	switch {
	case o.Limit <= 0 || o.Limit > hold.MaxLimit:
		return Exitf(Usage, "--limit is %s; it must be above zero and at most %s", term.Duration(o.Limit), term.Duration(hold.MaxLimit))
	case strings.TrimSpace(o.Because) == "":
		return Hint(Exitf(Usage, "--because is empty"), "say in a few words why; it is kept with the fault")
	}
	dir, err := hold.DefaultDir()
	if err != nil {
		return err
	}
	if err := sweepFirst(ctx, app, dir); err != nil {
		return err
	}
	r := hold.Request{NoPlaybook: o.Because, Limit: o.Limit, Beat: time.Second}
	if r.Faults, r.Netns, err = o.faults(); err != nil {
		return err
	}
	spec, err := r.Spec()
	if err != nil {
		return Exit(Usage, err)
	}
	if _, err := all.Kinds().Decode(spec); err != nil {
		if o.Netns != "" && strings.Contains(err.Error(), `unknown field "netns"`) {
			return Hint(Exit(Usage, err), "--netns is for faults of the network; hold the others by a command of their own")
		}
		return Exit(Usage, meant(err, spec))
	}
	h, err := launcher(app).Launcher.Hold(ctx, r)
	if err != nil {
		return heldError(err)
	}
	if !o.JSON {
		showHeld(app.Out(), h.Status(), o.Limit)
	}
	select {
	case <-h.Done():
	case <-ctx.Done():
	}
	st, err := h.Release(context.WithoutCancel(ctx))
	if o.JSON {
		return errors.Join(app.JSON(faultJSON(st)), haltError(err))
	}
	app.Out().Line("ended (%s)", st.Cause)
	explainEnd(folded(app.Out()), st)
	return haltError(err)
}

// faults are the specs, each at its place. The namespace belongs to the place.
func (o faultHoldOptions) faults() (specs []fault.Spec, netns string, err error) {
	for _, text := range o.Spec {
		s, err := readSpec(text, o.Where)
		if err != nil {
			return nil, "", err
		}
		specs = append(specs, s)
	}
	return specs, o.Netns, nil
}

// heldError gives what a holder says its exit code.
func heldError(err error) error {
	switch {
	case errors.Is(err, fault.ErrNotReverted):
		return haltError(err)
	case errors.Is(err, hold.ErrRefused):
		return Hint(Exit(Refused, err), "nothing is held; `belay fault plan` shows what would be changed, `belay fault capabilities` what can be made here")
	}
	return err
}

func showHeld(out *term.Printer, st fault.Status, limit time.Duration) {
	out.Text(4, out.Bold(st.ID)+"  "+visible(st.Target))
	out.Text(12, visible("  seen      "+st.Confirmed))
	for _, r := range st.Radius {
		out.Text(12, visible("  feels it  "+r))
	}
	out.Line("Held for %s at most. Ctrl-C ends it, and so does `belay halt`.", term.Duration(limit))
}
