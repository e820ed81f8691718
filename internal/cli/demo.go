package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/doctor/check"
	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/examples/bookstore"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/internal/cli/term"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
	"github.com/belay-dr/belay/publish/render"
	"github.com/belay-dr/belay/stage"
)

// demoEnvironment is where the demo's exercises run.
const demoEnvironment = "staging"

// demoScenarios are the scenarios of the demo, in order.
func demoScenarios() []string { return []string{"api-failure", "database-failure", "cdn-failure"} }

type demoOptions struct {
	Dir  string
	JSON bool
}

func newDemo(app *App) *cobra.Command {
	var o demoOptions
	cmd := group("demo", "Break the Bookstore on this machine, recover it, measure it, see the stage", newDemoUp(app), newDemoDown(app))
	cmd.Long = `Starts the Bookstore (an API, a database and a CDN, each a process that listens on 127.0.0.1 only) with its
playbook, checks and signs the playbook with keys made for the demo, and then exercises its three scenarios: each with
a real fault, the playbook's own recovery steps, probes from outside and canary writes. It shows what was measured, and
the stage that follows from it.

It needs no root, no network and nothing installed, and takes about half a minute. Without --dir the workspace is in a
temporary directory. The Bookstore is stopped at the end; the playbook, its documents and the evidence stay.`
	cmd.Example = `  $ belay demo
  $ belay demo --dir shop        # keep the workspace: belay stage --dir shop
  $ belay demo --json | jq .stage
  $ belay demo up --dir shop     # start the Bookstore alone, to try every command by hand`
	unknown := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args)
		}
		return runDemo(cmd.Context(), app, o)
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "keep the workspace in this `directory`")
	jsonFlag(cmd, &o.JSON)
	return cmd
}

// demo is one run of the demo.
type demo struct {
	app  *App
	opts demoOptions
	// say shows progress to a person. With --json nothing is shown.
	say  *term.Printer
	dir  string
	info *bookstore.Info
	ws   *Workspace
	// signers hold the key of each person of the playbook.
	signers map[string]ssh.Signer
}

// demoReport is what the demo came to, and what --json prints.
type demoReport struct {
	Stage     int               `json:"stage"`
	Criteria  []stage.Criterion `json:"criteria"`
	Next      string            `json:"next,omitempty"`
	Exercises []exercise.Result `json:"exercises"`
	Ledger    string            `json:"ledger"`
}

func runDemo(ctx context.Context, app *App, o demoOptions) (err error) {
	d := &demo{app: app, opts: o}
	if !o.JSON {
		d.say = app.Out()
	}
	tidy, err := d.chooseDir()
	if err != nil {
		return err
	}
	defer func() { tidy(err) }()
	if err := d.alone(); err != nil {
		return err
	}
	d.line("%s\n", d.bold("Belay demo: an application fails three times, and comes back by its playbook."))

	d.step("Start the Bookstore", "its API, database and CDN, each a process on 127.0.0.1")
	if d.info, err = startBookstore(ctx, app, d.dir, true); err != nil {
		return err
	}
	if d.info.Started() {
		defer func() {
			if e := d.down(ctx); err == nil {
				err = e
			}
		}()
	}
	if d.ws, err = app.Workspace(d.dir); err != nil {
		return err
	}
	defer closing(d.ws, &err)
	if err := d.earlier(ctx); err != nil {
		return err
	}
	report, err := d.climb(ctx)
	if err != nil {
		return err
	}
	if o.JSON {
		if err := app.JSON(report); err != nil {
			return err
		}
	} else {
		d.show(report)
	}
	for _, r := range report.Exercises {
		if r.Verdict != exercise.Pass {
			return Exitf(Refused, "%s: %s: %s", r.Scenario, r.Verdict, r.Why)
		}
	}
	return nil
}

// climb does what the ladder asks for: write down, agree, practise, prove. The Bookstore is up.
func (d *demo) climb(ctx context.Context) (demoReport, error) {
	pb, err := d.promise(ctx)
	if err != nil {
		return demoReport{}, err
	}
	if err := d.examine(ctx, pb); err != nil {
		return demoReport{}, err
	}
	if err := d.agree(ctx, pb); err != nil {
		return demoReport{}, err
	}
	report := demoReport{Ledger: d.ws.LedgerPath()}
	for _, scenario := range demoScenarios() {
		result, err := d.exercise(ctx, pb, scenario)
		if err == nil {
			err = ctx.Err() // the exercise was stopped, and the demo with it
		}
		if err != nil {
			return demoReport{}, err
		}
		report.Exercises = append(report.Exercises, result)
	}
	in, err := d.ws.stageInput(ctx)
	if err != nil {
		return demoReport{}, err
	}
	a := stage.Assess(in)
	suggestIn(&a, d.dir)
	report.Stage, report.Criteria, report.Next = a.Stage, a.Criteria, a.Next
	return report, nil
}

// promise gives the people their keys, loads and checks the playbook, and writes it as a document.
func (d *demo) promise(ctx context.Context) (*playbook.Playbook, error) {
	d.step("Write it down", "load, lint and render the playbook")
	pb, err := d.ws.Playbook()
	if err != nil {
		return nil, err
	}
	if d.signers, err = demoKeys(d.dir, pb.People.IDs()); err != nil {
		return nil, err
	}
	d.ws.playbook = nil // it has keys now
	if pb, err = d.ws.Playbook(); err != nil {
		return nil, err
	}
	findings := lint.Check(pb)
	if blockers := lint.Blockers(findings); len(blockers) > 0 {
		return nil, Exitf(Refused, "lint blocks: %s: %s", blockers[0].ID, blockers[0].Message)
	}
	if err := d.render(pb, findings); err != nil {
		return nil, err
	}
	d.done("%d services, %d people, %d scenarios; lint: no blocker, %d risks", len(pb.Services), len(pb.People), len(pb.Scenarios), len(findings))
	for _, f := range d.notable(findings) {
		if d.say != nil {
			d.say.Text(11, "      "+d.say.Warn("risk")+" "+f.Message)
		}
	}
	return pb, nil
}

// notable are the findings that the series is known for: one of each rule about objectives and leads, three at most.
func (d *demo) notable(findings []lint.Finding) []lint.Finding {
	var out []lint.Finding
	seen := map[string]bool{}
	for _, f := range findings {
		about := strings.HasSuffix(f.Path, ".rto") || strings.Contains(f.Path, ".leads") || strings.HasPrefix(f.Path, "actions.")
		if about && !seen[f.ID] && len(out) < 3 {
			seen[f.ID] = true
			out = append(out, f)
		}
	}
	return out
}

// render writes playbook.html and playbook.md beside the playbook.
func (d *demo) render(pb *playbook.Playbook, findings []lint.Finding) error {
	opts := render.Options{Findings: findings, At: d.app.Clock.Now()}
	var html, markdown bytes.Buffer
	if err := render.HTML(&html, pb, opts); err != nil {
		return fmt.Errorf("render playbook: %w", err)
	}
	if err := render.Markdown(&markdown, pb, opts); err != nil {
		return fmt.Errorf("render playbook: %w", err)
	}
	if err := replaceFile(filepath.Join(d.dir, "playbook.html"), html.Bytes()); err != nil {
		return err
	}
	return replaceFile(filepath.Join(d.dir, "playbook.md"), markdown.Bytes())
}

// examine lets the doctor look.
func (d *demo) examine(ctx context.Context, pb *playbook.Playbook) error {
	d.step("See the doctor", "is it fit to be exercised?")
	deps, err := d.app.doctorDeps(d.ws)
	if err != nil {
		return err
	}
	report := check.Run(ctx, pb, demoEnvironment, deps)
	if err := ctx.Err(); err != nil {
		return err
	}
	if report.Verdict == doctor.Blocked {
		for _, f := range report.Findings {
			if f.Severity == doctor.Blocker {
				return Exitf(Refused, "the doctor blocks: %s: expected %s, saw %s", f.ID, f.Expected, f.Seen)
			}
		}
	}
	d.done("%s: %d checks, %d findings", report.Verdict, report.Checks, len(report.Findings))
	return nil
}

// agree signs the substance for the four roles; everybody has seen it then.
func (d *demo) agree(ctx context.Context, pb *playbook.Playbook) error {
	d.step("Agree", "the four roles sign the substance of the playbook with SSH keys")
	ledger, err := d.ws.Ledger(ctx)
	if err != nil {
		return err
	}
	parts := playbook.Substance(pb)
	var signed []string
	for _, row := range pb.People {
		for _, role := range row.Value.Roles {
			a := evidence.Agreement{Application: pb.Application, Person: row.ID, Role: string(role), Substance: parts.Digest(), Parts: parts}
			if a, err = a.Sign(evidence.KindAgreement, d.app.Clock.Now(), d.signers[row.ID]); err != nil {
				return err
			}
			draft, err := a.Draft(evidence.KindAgreement, row.Value.Keys)
			if err != nil {
				return err
			}
			if _, err := ledger.Append(ctx, draft); err != nil {
				return err
			}
			signed = append(signed, row.ID+" ("+string(role)+")")
		}
	}
	d.done("%s", strings.Join(signed, ", "))
	return nil
}

// exercise runs one scenario in automatic mode and shows how it goes.
func (d *demo) exercise(ctx context.Context, pb *playbook.Playbook, scenario string) (exercise.Result, error) {
	title := scenario
	if sc, ok := pb.Scenarios.Get(scenario); ok {
		title = sc.Title
	}
	d.step("Practise", title)
	now := d.app.Clock.Now()
	c, err := d.app.clear(ctx, d.ws, scenario, demoEnvironment, exercise.Automatic, exercise.CompileOptions{
		ID: newExerciseID(now), Runner: runnerName(d.app), Now: now,
	})
	if err != nil {
		return exercise.Result{}, refusedError(err)
	}
	ledger, err := d.ws.Ledger(ctx)
	if err != nil {
		return exercise.Result{}, err
	}
	opts := local.Options{
		Plan: c.Plan, Permit: c.Permit, Dir: d.ws.Dir, Ledger: ledger, Clock: d.app.Clock, Faults: launcher(d.app),
		Passed: func(exercise.Phase) {},
	}
	end := func() {}
	if d.say != nil {
		if opts.Observe, end, err = newProgress(d.app, d.say, exerciseOptions{}, exercise.Automatic); err != nil {
			return exercise.Result{}, err
		}
	} else {
		opts.Observe = func(exercise.View) {}
	}
	r, err := local.Run(ctx, opts)
	end()
	if err != nil {
		return r, err
	}
	d.done("%s", r.Why)
	return r, nil
}
