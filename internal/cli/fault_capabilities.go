package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/internal/cli/term"
)

type faultCapabilitiesOptions struct {
	faultOptions
	// Names are the faults that are asked for: kinds, or beginnings such as network.de. None means all.
	Names []string
}

func newFaultCapabilities(app *App) *cobra.Command {
	var o faultCapabilitiesOptions
	cmd := &cobra.Command{
		Use:   "capabilities [FAULT...]",
		Short: "List all faults, whether they can be made here, and why not",
		Long: `List all faults, whether they can be made here by this user, by which mechanism, and what ends them when their holder
dies. What cannot be made is named below with the reason and what would help. With names, such as network or
network.delay, only those, and what they do.`,
		Example: `  $ belay fault capabilities
  $ belay fault capabilities network dns`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Names = args
			return runFaultCapabilities(cmd.Context(), app, o)
		},
	}
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runFaultCapabilities(ctx context.Context, app *App, o faultCapabilitiesOptions) error {
	list := all.Capabilities(ctx)
	shown := slices.DeleteFunc(slices.Clone(list), func(c fault.Capability) bool { return !o.asked(c) })
	if len(shown) == 0 {
		return Hint(Exitf(Usage, "no fault is called %s", strings.Join(o.Names, " or ")), "`belay fault capabilities` lists all")
	}
	if o.JSON {
		return app.JSON(map[string]any{"capabilities": shown})
	}
	showCapabilities(app.Out(), shown, len(o.Names) > 0)
	return nil
}

// asked says that a fault is one of those that were asked for.
func (o faultCapabilitiesOptions) asked(c fault.Capability) bool {
	return len(o.Names) == 0 || slices.ContainsFunc(o.Names, func(name string) bool { return strings.HasPrefix(c.Fault, name) })
}

func showCapabilities(out *term.Printer, list []fault.Capability, effects bool) {
	columns := []string{"fault", "here", "ends by itself", "mechanism"}
	if effects {
		columns = append(columns, "effect")
	}
	t := out.Table(columns...)
	for _, c := range list {
		here, ends := out.Good("yes"), endsItself(c)
		if !c.Here {
			here, ends = out.Warn("no"), "" // by which mechanism it would be made, and so what would end it, is not known
		}
		t.Row(c.Fault, here, ends, c.Mechanism, c.Effect)
	}
	t.Print()
	if reasons := missing(list); len(reasons) > 0 {
		out.Line("")
		out.Line("Not here, and why:")
		for _, r := range reasons {
			out.Text(4, "  "+r)
		}
	}
}

// missing are the faults that cannot be made, one line for each reason.
func missing(list []fault.Capability) (lines []string) {
	var reasons []string
	named, there := map[string][]string{}, map[string]int{}
	for _, c := range list {
		there[family(c.Fault)]++
		if c.Here {
			continue
		}
		if !slices.Contains(reasons, c.Why) {
			reasons = append(reasons, c.Why)
		}
		named[c.Why] = append(named[c.Why], c.Fault)
	}
	for _, why := range reasons {
		lines = append(lines, strings.Join(short(named[why], there), ", ")+": "+why)
	}
	return lines
}

// short writes network.* for all faults of a family of which there are so many.
func short(names []string, there map[string]int) (out []string) {
	count := map[string]int{}
	for _, n := range names {
		count[family(n)]++
	}
	for _, n := range names {
		if f := family(n); count[f] == there[f] && count[f] > 1 {
			n = f + ".*"
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// family is what stands before the first dot.
func family(name string) string {
	f, _, _ := strings.Cut(name, ".")
	return f
}

// endsItself says what ends a fault whose holder dies.
func endsItself(c fault.Capability) string {
	switch {
	case c.Class == fault.OneShot:
		return "nothing to end"
	case c.KernelEnds:
		return "by the kernel"
	}
	return "by the reaper"
}
