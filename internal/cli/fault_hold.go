package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		return Exit(Usage, err)
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
	explainEnd(app.Out().Line, st)
	return haltError(err)
}

// faults are the specs, each at its place. The namespace belongs to the place.
func (o faultHoldOptions) faults() (specs []fault.Spec, netns string, err error) {
	for _, text := range o.Spec {
		var s fault.Spec
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return nil, "", Exit(Usage, fmt.Errorf("read --spec: %w", err))
		}
		if s, err = s.At(o.Where); err != nil {
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
		return Hint(Exit(Refused, err), "`belay fault plan` shows what would be changed, `belay fault capabilities` what can be made here")
	}
	return err
}

func showHeld(out *term.Printer, st fault.Status, limit time.Duration) {
	out.Line("%s  %s", out.Bold(st.ID), st.Target)
	out.Line("  seen: %s", st.Confirmed)
	for _, r := range st.Radius {
		out.Line("  feels it: %s", r)
	}
	out.Line("Held for %s at most. Ctrl-C ends it, and so does `belay halt`.", term.Duration(limit))
}
