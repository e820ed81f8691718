package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/playbook/lint"
)

type lintOptions struct {
	Dir   string
	JSON  bool
	Rules bool
}

func newLint(app *App) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Check what the playbook says, and what it means",
		Long: `Lint loads the playbook and lists every mistake in it, one a line: file:line:col: path: message.

A playbook without mistakes is then read for its meaning: a child that recovers later than its parent may, hours in
which nobody answers, a check that is missing. Each finding has the identifier of its rule, a place and a reason.
A blocker makes an exercise unsafe or unmeasurable and refuses it; a risk is shown.

The exit code is 0 when there are only risks, 3 when there is a blocker, and 2 when the playbook has mistakes.`,
		Example: `  $ belay lint
  $ belay lint shop/playbook --json
  $ belay lint --rules`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if cmd.Flags().Changed("dir") {
					return Exitf(Usage, "the directory is given twice: %s and --dir %s", args[0], o.Dir)
				}
				o.Dir = args[0]
			}
			if o.Rules {
				return runLintRules(app, o)
			}
			return runLint(app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().BoolVar(&o.Rules, "rules", false, "list what lint knows, and why, instead of checking")
	return cmd
}

func runLint(app *App, o lintOptions) error {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer w.Close()
	pb, err := w.Playbook()
	if err != nil {
		return err
	}
	findings := lint.Check(pb)
	if o.JSON {
		if findings == nil {
			findings = []lint.Finding{}
		}
		if err := app.JSON(map[string]any{"findings": findings}); err != nil {
			return err
		}
	} else {
		app.showFindings(findings)
	}
	if len(lint.Blockers(findings)) > 0 {
		return Exit(Refused, nil)
	}
	return nil
}

// showFindings writes each finding in the form that editors jump to, and the counts last. The reason and the hint follow
// the first finding of their rule.
func (app *App) showFindings(findings []lint.Finding) {
	out := app.Out()
	told := map[string]bool{}
	for _, f := range findings {
		out.Text(4, fmt.Sprintf("%s: %s %s: %s", f.Pos, out.Word(string(f.Severity)), f.ID, f.Message))
		if told[f.ID] {
			continue
		}
		told[f.ID] = true
		out.Text(9, "    "+out.Dim("why: "+f.Why))
		if f.Hint != "" {
			out.Text(10, "    "+out.Dim("hint: "+f.Hint))
		}
	}
	blockers := len(lint.Blockers(findings))
	switch risks := len(findings) - blockers; {
	case len(findings) == 0:
		out.Line("no findings")
	default:
		out.Line("%s, %s", plural(blockers, "blocker"), plural(risks, "risk"))
	}
}

func runLintRules(app *App, o lintOptions) error {
	if o.JSON {
		return app.JSON(map[string]any{"rules": lint.Rules()})
	}
	out := app.Out()
	for _, r := range lint.Rules() {
		out.Line("%s %s: %s", r.ID, out.Word(string(r.Severity)), r.Name)
		out.Text(9, "    "+out.Dim("why: "+r.Why))
		out.Text(10, "    "+out.Dim("hint: "+r.Hint))
	}
	return nil
}
