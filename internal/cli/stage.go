package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/stage"
)

type stageOptions struct {
	Dir       string
	JSON      bool
	Criterion string
	Explain   bool
}

func newStage(app *App) *cobra.Command {
	var o stageOptions
	cmd := group("stage", "Where you stand, what is missing, and the one next action")
	cmd.Long = `Computes the stage of resiliency from the playbook and the evidence, as they are now. Nobody declares a stage: it can be
lost again, when evidence gets old or when what it proves has changed, and then the change is named.`
	cmd.Example = `  $ belay stage
  $ belay stage explain agreement
  $ belay stage --json | jq .stage`
	unknown := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return runStage(cmd.Context(), app, o)
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.AddCommand(newStageExplain(app))
	return cmd
}

func newStageExplain(app *App) *cobra.Command {
	o := stageOptions{Explain: true}
	cmd := &cobra.Command{
		Use: "explain [CRITERION]", Short: "Why each criterion is met or not, and what would help",
		Example: `  $ belay stage explain
  $ belay stage explain failover-exercise`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Criterion = args[0]
			}
			return runStage(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runStage(ctx context.Context, app *App, o stageOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	in, err := w.stageInput(ctx)
	if err != nil {
		return err
	}
	a := stage.Assess(in)
	suggestIn(&a, o.Dir)
	if o.Criterion != "" {
		if a.Criteria, err = chooseCriteria(a.Criteria, o.Criterion); err != nil {
			return err
		}
	}
	switch {
	case o.JSON:
		return app.JSON(a)
	case o.Explain:
		explainStage(app.Out(), a)
	default:
		showStage(app.Out(), a)
	}
	return nil
}

// suggestIn makes the commands that an assessment suggests work on the same playbook.
func suggestIn(a *stage.Assessment, dir string) {
	a.Next = inDirToo(a.Next, dir)
	for i := range a.Criteria {
		a.Criteria[i].Next = inDirToo(a.Criteria[i].Next, dir)
	}
}

// stageInput reads what a stage is computed from. A ledger that does not verify proves nothing, so it is refused.
func (w *Workspace) stageInput(ctx context.Context) (stage.Input, error) {
	pb, err := w.Playbook()
	if err != nil {
		return stage.Input{}, err
	}
	records, err := w.verified(ctx)
	if err != nil {
		return stage.Input{}, err
	}
	return stage.Input{Playbook: pb, Records: records, Now: w.app.Clock.Now()}, nil
}

// verified reads the whole ledger and refuses one in which a record was changed, or from whose end some were removed: against
// the heads that are signed beside it, and against the end that its writers had reached. No ledger has no records.
func (w *Workspace) verified(ctx context.Context) ([]evidence.Record, error) {
	heads, err := w.heads(nil, &Verification{})
	if err != nil {
		return nil, err
	}
	var records []evidence.Record
	var problems error
	err = w.reading(ctx, func(db *sqlite.DB) error {
		records, problems = db.Verify(ctx, heads...)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		problems, err = evidence.Verify(nil, heads...), nil
	}
	if err != nil {
		return nil, err
	}
	if problems != nil {
		return nil, Hint(fmt.Errorf("the ledger does not verify: %w", evidence.AsProblems(problems)[0]), "belay evidence verify")
	}
	return records, nil
}

// closing closes the workspace and reports that error when there is no other.
func closing(w *Workspace, err *error) {
	if closeErr := w.Close(); *err == nil {
		*err = closeErr
	}
}

// chooseCriteria finds a criterion by its whole ID or by the part that nothing else has.
func chooseCriteria(criteria []stage.Criterion, id string) ([]stage.Criterion, error) {
	var ids []string
	var found []stage.Criterion
	for _, c := range criteria {
		if c.ID == id {
			return []stage.Criterion{c}, nil
		}
		if strings.Contains(c.ID, id) {
			found = append(found, c)
		}
		ids = append(ids, c.ID)
	}
	if len(found) > 0 {
		return found, nil
	}
	return nil, Hint(Exitf(Usage, "no criterion %q", id), "the criteria are %s", strings.Join(ids, ", "))
}

// stageNames say in a few words what each stage is.
func stageNames() []string {
	return []string{
		"Prerequisites", "Agreed, and failed over once", "Critical dependencies fail in non-production",
		"Regularly, and once in production", "Automatic in non-production", "Automatic in production and in the build",
	}
}

func showStage(p *term.Printer, a stage.Assessment) {
	if !p.TTY {
		p.Line("%s: stage %d", a.Application, a.Stage)
		t := p.Table("stage", "state", "criterion", "why")
		for _, c := range a.Criteria {
			t.Row(fmt.Sprint(c.Stage), string(c.State), c.ID, c.Why)
		}
		t.Print()
		showLost(p, a)
		if a.Next != "" {
			p.Line("next: %s", a.Next)
		}
		return
	}
	p.Line("")
	p.Line("  %s  stage %s of 5   %s", p.Bold(a.Application), p.Bold(fmt.Sprint(a.Stage)), ladder(p, a.Stage))
	last := -1
	for _, c := range a.Criteria {
		if c.Stage != last {
			last = c.Stage
			p.Line("")
			p.Line("  %s", stageTitle(p, a, c.Stage))
		}
		showCriterion(p, a, c)
	}
	p.Line("")
	showLost(p, a)
	if a.Next != "" {
		p.Text(8, "  "+p.Bold("Next:")+" "+a.Next)
	}
}

// stageTitle is the heading of a stage. What is further away than the next stage is dim.
func stageTitle(p *term.Printer, a stage.Assessment, n int) string {
	title := fmt.Sprintf("Stage %d · %s", n, stageNames()[n])
	if n > a.Stage+1 {
		return p.Dim(title)
	}
	return p.Bold(title)
}

// ladder shows the stage as rungs.
func ladder(p *term.Printer, stage int) string {
	const top = 5
	return p.Good(strings.Repeat("●", stage)) + p.Dim(strings.Repeat("○", top-stage))
}

func showCriterion(p *term.Printer, a stage.Assessment, c stage.Criterion) {
	far := c.Stage > a.Stage+1
	title := c.Title
	if far && c.State != stage.Met {
		title = p.Dim(title)
	}
	p.Text(6, "    "+stateMark(p, c.State, far)+" "+title)
	if far || c.State == stage.Met {
		return
	}
	p.Text(8, "        "+c.Why)
	if c.Next != "" {
		p.Text(8, "      "+p.Dim("→")+" "+c.Next)
	}
}

// stateMark is the sign of a state: met, waived or lapsed, missing.
func stateMark(p *term.Printer, s stage.State, far bool) string {
	switch {
	case s == stage.Met:
		return p.Good("✓")
	case s == stage.Waived, s == stage.Stale, s == stage.Expired, s == stage.Unknown:
		return p.Warn("~")
	case far:
		return p.Dim("·")
	}
	return p.Bad("✗")
}

func showLost(p *term.Printer, a stage.Assessment) {
	indent := ""
	if p.TTY {
		indent = "  "
	}
	for _, why := range a.Lost {
		p.Text(len(indent)+2, indent+p.Warn("Lost: "+why))
	}
}

func explainStage(p *term.Printer, a stage.Assessment) {
	for i, c := range a.Criteria {
		if i > 0 {
			p.Line("")
		}
		p.Line("%s  %s  stage %d", p.Bold(c.ID), p.Word(string(c.State)), c.Stage)
		p.Line("  %s", c.Title)
		field := func(name, value string) {
			if value != "" {
				p.Text(12, "  "+p.Dim(pad(name, 9))+" "+value)
			}
		}
		field("why", c.Why)
		field("evidence", strings.Join(c.Evidence, " "))
		field("next", c.Next)
	}
}

// substanceOf is the digest of what people agree to, and its parts.
func substanceOf(pb *playbook.Playbook) (string, playbook.Parts) {
	parts := playbook.Substance(pb)
	return parts.Digest(), parts
}
