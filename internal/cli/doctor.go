package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/doctor/check"
	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/playbook"
)

type doctorOptions struct {
	Dir         string
	Environment string
	JSON        bool
}

func newDoctor(app *App) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say on one page whether the application is fit to be exercised",
		Long: `Look at the playbook, at what each service answers now, at what the recovery relies on, and at this machine.

Nothing is changed and no step is carried out. A blocker makes an exercise unsafe or unmeasurable: the exit code is
then 3. A risk is a weakness that is shown.`,
		Example: `  $ belay doctor
  $ belay doctor --env staging --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runDoctor(cmd.Context(), app, o) },
	}
	dirFlag(cmd, &o.Dir)
	cmd.Flags().StringVar(&o.Environment, "env", "", "`environment` (default: the only one, or the first that is not production)")
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runDoctor(ctx context.Context, app *App, o doctorOptions) error {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	pb, err := w.Playbook()
	if err != nil {
		return err
	}
	environment, err := chooseEnvironment(pb, o.Environment)
	if err != nil {
		return err
	}
	deps, err := app.doctorDeps(w)
	if err != nil {
		return err
	}
	report := check.Run(ctx, pb, environment, deps)
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.JSON {
		err = app.JSON(report)
	} else {
		out := app.Out()
		printReport(out, report)
		if out.TTY && report.Verdict != doctor.Blocked && len(pb.Scenarios) > 0 {
			out.Line("")
			out.Text(6, fmt.Sprintf("Next: belay exercise run %s --env %s --dry-run%s", pb.Scenarios[0].ID, environment, inDir(o.Dir)))
		}
	}
	if err == nil && report.Verdict == doctor.Blocked {
		err = Exit(Refused, nil)
	}
	return err
}

// doctorDeps is what the doctor looks at on this machine.
func (app *App) doctorDeps(w *Workspace) (check.Deps, error) {
	return check.Deps{
		State:   w.State(),
		Clock:   app.Clock,
		Records: func(ctx context.Context) ([]evidence.Record, error) { return w.Records(ctx, evidence.Filter{}) },
		Held:    func(ctx context.Context) ([]string, error) { return heldFaults(ctx, w) },
	}, nil
}

// chooseEnvironment is the named one, or the one that can be meant.
func chooseEnvironment(pb *playbook.Playbook, name string) (string, error) {
	ids := pb.Environments.IDs()
	if name != "" {
		if _, ok := pb.Environments.Get(name); !ok {
			return "", Hint(Exitf(Usage, "there is no environment %q", name), "the environments are: %s", strings.Join(ids, ", "))
		}
		return name, nil
	}
	for _, row := range pb.Environments {
		if row.Value.Kind != playbook.Production || len(ids) == 1 {
			return row.ID, nil
		}
	}
	return "", Hint(Exitf(Usage, "which environment?"), "name it with --env: %s", strings.Join(ids, ", "))
}

// printReport is the one page: services by areas, then the findings.
func printReport(p *term.Printer, r doctor.Report) {
	p.Line("%s %s: %s (%s)", p.Bold("The doctor on"), p.Bold(r.Environment), p.Word(string(r.Verdict)), plural(r.Checks, "check"))
	p.Line("")
	countTable(p, r).Print()
	for _, f := range r.Findings {
		p.Line("")
		about := f.Area
		if f.Service != "" {
			about = f.Service + ", " + about
		}
		p.Line("%s %s  %s", p.Word(string(f.Severity)), p.Bold(f.ID), p.Dim(about))
		for _, line := range [][2]string{{"expected", f.Expected}, {"seen", f.Seen}, {"why", f.Why}, {"fix", f.Fix}} {
			paragraph(p, line[0], line[1])
		}
	}
}

// countTable has a row for each service and a column for each area that was looked at anywhere.
func countTable(p *term.Printer, r doctor.Report) *term.Table {
	cells := map[[2]string]doctor.Count{}
	var services, areas []string
	seen := map[string]bool{}
	for _, c := range r.Counts {
		cells[[2]string{c.Service, c.Area}] = c
		if !seen["service "+c.Service] {
			seen["service "+c.Service] = true
			services = append(services, c.Service)
		}
		seen[c.Area] = true
	}
	for _, area := range doctor.Areas() {
		if seen[area] {
			areas = append(areas, area)
		}
	}
	table := p.Table(append([]string{"service"}, areas...)...)
	for _, service := range services {
		name := service
		if name == "" {
			name = "(all)"
		}
		row := []string{name}
		for _, area := range areas {
			row = append(row, countCell(p, cells[[2]string{service, area}]))
		}
		table.Row(row...)
	}
	return table
}

// countCell is what one area of one service comes to: how many checks hold, and what does not.
func countCell(p *term.Printer, c doctor.Count) string {
	var parts []string
	if good := c.Checks - c.Blockers - c.Risks; good > 0 {
		parts = append(parts, p.Good(fmt.Sprintf("%d ok", good)))
	}
	if c.Blockers > 0 {
		parts = append(parts, p.Bad(plural(c.Blockers, "blocker")))
	}
	if c.Risks > 0 {
		parts = append(parts, p.Warn(plural(c.Risks, "risk")))
	}
	if len(parts) == 0 {
		return p.Dim("-")
	}
	return strings.Join(parts, ", ")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// paragraph writes a labelled text, wrapped to the width of a terminal.
func paragraph(p *term.Printer, label, text string) {
	const indent = 12
	p.Text(indent, "  "+p.Dim(pad(label, indent-2))+strings.Join(strings.Fields(text), " "))
}
