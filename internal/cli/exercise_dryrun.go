package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/internal/cli/term"
)

// dryRun shows exactly what an exercise would do, and what the guard says to it.
func dryRun(ctx context.Context, app *App, p exercise.Plan, guard error, asJSON bool) error {
	change, changeErr := planFault(ctx, p)
	var refused *exercise.Refused
	if guard != nil && !errors.As(guard, &refused) {
		return guard
	}
	if asJSON {
		refusals := []exercise.Refusal{}
		if refused != nil {
			refusals = refused.Refusals
		}
		err := app.JSON(map[string]any{"plan": p, "digest": p.Digest(), "fault": change.Changes, "refusals": refusals})
		return errors.Join(err, refusedError(guard))
	}
	out := app.Out()
	out.Text(0, fmt.Sprintf("%s in %s, %s. Nothing is done; this is what would happen:", out.Bold(p.Title), p.Environment, p.Mode))
	out.Line("")
	out.Text(3, fmt.Sprintf("1. Watch until it was steady for %s, for %s at most, every %s (timeout %s):", term.Duration(p.Baseline),
		term.Duration(p.BaselineLimit), term.Duration(p.Pace.Period), term.Duration(p.Pace.Timeout)))
	for _, probe := range p.Probes {
		shown := ""
		if probe.Primary {
			shown = "  (decides)"
		}
		out.Line("   %s%s", probe.Name, shown)
	}
	for _, c := range p.Canaries {
		out.Line("   canary writes through %s", c.Service)
	}
	showFaultPlan(out, p, change, changeErr)
	n := 3
	for _, procedure := range []string{exercise.Recovery, exercise.Test, exercise.Resume} {
		out.Line("%d. %s:", n, strings.ToUpper(procedure[:1])+procedure[1:])
		n++
		for _, node := range p.Nodes {
			if node.Procedure == procedure {
				showNode(out, node)
			}
		}
		if procedure == exercise.Test {
			out.Text(3, fmt.Sprintf("%d. When the service has answered for %s without a failure: end the fault, look for what it left behind.", n, term.Duration(p.Pace.Sustained())))
			n++
		}
	}
	out.Text(3, fmt.Sprintf("%d. Read the canary back, measure, write the result to the ledger. Everything ends after %s at the latest.", n, term.Duration(p.TimeBox)))
	if guard == nil {
		out.Line("")
		out.Line("The guard would let it begin.")
	}
	return refusedError(guard)
}

func planFault(ctx context.Context, p exercise.Plan) (fault.Plan, error) {
	if p.Fault == nil {
		return fault.Plan{}, errors.New("the scenario names no fault")
	}
	t, err := all.Kinds().Decode(*p.Fault)
	if err != nil {
		return fault.Plan{}, err
	}
	return t.Plan(ctx, fault.Ask{ID: "x-" + p.ID, Limit: p.Limit, Exercise: p.ID})
}

func showFaultPlan(out *term.Printer, p exercise.Plan, change fault.Plan, err error) {
	out.Line("2. Break, for %s at most:", term.Duration(p.Limit))
	if err != nil {
		out.Line("   the fault would be refused: %s", err)
		return
	}
	out.Line("   %s (%s)", change.Target, change.Class)
	for _, c := range change.Changes {
		out.Line("   - %s", c)
	}
}

func showNode(out *term.Printer, n exercise.Node) {
	what := string(n.Kind)
	switch {
	case len(n.Argv) > 0:
		what = exercise.Readable(strings.Join(n.Argv, " "))
	case n.Shell != "":
		what = "/bin/sh -c " + exercise.Readable(n.Shell)
	case n.Check != nil:
		what = "check " + checkWords(n.Check)
	}
	optional := ""
	if n.Optional {
		optional = " (optional)"
	}
	const hang = 7
	out.Text(hang, "   "+out.Bold(n.ID)+"  "+strings.ReplaceAll(exercise.Readable(n.Text), "\n", " ")+optional)
	if !strings.EqualFold(what, n.Text) {
		out.Text(hang, "       "+out.Dim(what))
	}
	for _, o := range n.Options {
		out.Text(hang+2, fmt.Sprintf("       %s: %s -> %s", o.ID, o.Text, o.Goto))
	}
}
