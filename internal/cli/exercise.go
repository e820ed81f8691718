package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/belay-dr/belay/fault/targets/all"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/doctor"
	"github.com/belay-dr/belay/doctor/check"
	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/exercise/local"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/playbook/lint"
)

// newExercise is `belay exercise`.
func newExercise(app *App) *cobra.Command {
	cmd := group("exercise", "Practise a scenario on the real system, and measure it",
		newExerciseRun(app), newExerciseApprove(app), newExerciseList(app), newExerciseShow(app), newExerciseResume(app), newExerciseAbort(app))
	cmd.Long = `Practise a scenario: break what it covers, follow its procedure, and measure from outside how long it took and what was
lost. The fault ends with the exercise, whatever happens. Every run is kept, whatever its verdict.`
	return cmd
}

// exerciseOptions are what running and resuming have in common.
type exerciseOptions struct {
	Dir      string
	JSON     bool
	As       string
	Progress string
}

func (o *exerciseOptions) flags(app *App, cmd *cobra.Command) {
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().StringVar(&o.As, "as", "", "`person` who runs it (default: who you are on this machine)")
	cmd.Flags().StringVar(&o.Progress, "progress", "auto", "`how` to show progress: auto, plain, json (one line a phase on standard error) or none")
}

// runner is who runs it: the person named, or the one at the keyboard.
func (o *exerciseOptions) runner(app *App) string {
	if o.As != "" {
		return o.As
	}
	return runnerName(app)
}

// runnerName is the person at the keyboard, as far as the system knows.
func runnerName(app *App) string {
	for _, name := range []string{"BELAY_AS", "USER", "LOGNAME"} {
		if v, ok := app.Env(name); ok && v != "" {
			return v
		}
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// newExerciseID is a new identifier that sorts by time.
func newExerciseID(now time.Time) string {
	return ulid.MustNew(ulid.Timestamp(now), rand.Reader).String()
}

// launcher is what holds faults for this program.
func launcher(app *App) local.Launcher {
	return local.Launcher{Launcher: hold.Launcher{Kinds: all.Kinds(), Exe: append(append([]string{}, app.Exe...), "hold-internal")}}
}

// Cleared is an exercise that the guard has let through.
type Cleared struct {
	Plan   exercise.Plan
	Permit fault.Permit
}

// clear plans an exercise, lets the doctor look, and asks the guard. The refusals are an *exercise.Refused.
func (app *App) clear(ctx context.Context, w *Workspace, scenario, environment string, mode exercise.Mode, opts exercise.CompileOptions) (Cleared, error) {
	report, err := app.examine(ctx, w, environment)
	if err != nil {
		return Cleared{}, err
	}
	return app.clearWith(ctx, report, w, scenario, environment, mode, opts)
}

// examine lets the doctor look at the environment.
func (app *App) examine(ctx context.Context, w *Workspace, environment string) (*doctor.Report, error) {
	pb, err := w.Playbook()
	if err != nil {
		return nil, err
	}
	if _, ok := pb.Environments.Get(environment); !ok {
		return nil, nil // planning says so, with the names there are
	}
	deps, err := app.doctorDeps(w)
	if err != nil {
		return nil, err
	}
	report := check.Run(ctx, pb, environment, deps)
	if err := ctx.Err(); err != nil {
		return nil, err // what was not looked at is not a finding
	}
	return &report, nil
}

// clearWith plans an exercise and asks the guard. The refusals are an *exercise.Refused.
func (app *App) clearWith(ctx context.Context, report *doctor.Report, w *Workspace, scenario, environment string, mode exercise.Mode, opts exercise.CompileOptions) (Cleared, error) {
	pb, err := w.Playbook()
	if err != nil {
		return Cleared{}, err
	}
	plan, err := exercise.Compile(pb, scenario, environment, mode, opts)
	if err != nil {
		return Cleared{}, Exit(Usage, err)
	}
	env, _ := pb.Environments.Get(environment)
	c := exercise.Clearance{Plan: plan, Doctor: report, Window: true, Now: app.Clock.Now(), Freeze: exercise.FreezeAt(*env, app.Clock.Now())}
	for _, f := range lint.Check(pb) {
		if f.Severity == lint.Blocker {
			c.Blockers = append(c.Blockers, fmt.Sprintf("%s %s: %s", f.ID, f.Path, f.Message))
		}
	}
	if env.Window != nil {
		if c.Window, err = env.Window.Open(c.Now); err != nil {
			return Cleared{}, fmt.Errorf("read window of %s: %w", environment, err)
		}
	}
	if env.Approvals != nil {
		c.Needed = env.Approvals.Count
	}
	if c.Approvals, err = approvals(ctx, w, pb, plan, c.Now); err != nil {
		return Cleared{}, err
	}
	if c.Running, err = local.Running(w.Dir, environment); err != nil {
		return Cleared{}, err
	}
	if c.Held, err = heldFaults(ctx, w); err != nil {
		return Cleared{}, err
	}
	whereabouts(ctx, pb, &c)
	permit, refusals := exercise.Guard(c)
	if plan.Fault != nil { // what the holder would refuse is refused here, before anything is measured
		change, err := planFault(ctx, plan)
		if err != nil {
			refusals = append(refusals, exercise.Refusal{Rule: "target", Why: "the fault cannot be made: " + err.Error()})
		}
		if change.Production != "" && !plan.Production {
			refusals = append(refusals, exercise.Refusal{Rule: "production", Why: fmt.Sprintf("%s is not production, but %s is: %s", environment, change.Target, change.Production)})
		}
		if plan.Production && change.Elsewhere && !change.EndsThere {
			refusals = append(refusals, exercise.Refusal{Rule: "production", Why: fmt.Sprintf("%s would live in somebody else's API without an end there: hold it by a hub or an agent, or take a fault with a deadline", change.Target)})
		}
	}
	if err := ctx.Err(); err != nil {
		return Cleared{}, err
	}
	if len(refusals) > 0 {
		return Cleared{Plan: plan}, suggestTarget(plan, w.Given, &exercise.Refused{Refusals: refusals})
	}
	return Cleared{plan, permit}, nil
}

// suggestTarget adds the way on for a fault that cannot be made.
func suggestTarget(p exercise.Plan, dir string, refused *exercise.Refused) error {
	last := refused.Refusals[len(refused.Refusals)-1]
	if last.Rule != "target" {
		return refused
	}
	fix := fmt.Sprintf("start what the fault is to break, or correct the fault of %s", p.Scenario)
	if p.Fault.Kind == "process" {
		fix = fmt.Sprintf("start the service, so that its process runs and its pid file names it, or correct the fault of %s", p.Scenario)
	}
	return Hint(refused, "%s; `belay fault plan %s --env %s%s` shows what would be broken", fix, p.Scenario, p.Environment, inDir(dir))
}

// heldFaults names the faults that are held on this machine and concern the workspace: those of its own exercises, and those
// that belong to no exercise. Another workspace's exercise is its own business.
func heldFaults(ctx context.Context, w *Workspace) ([]string, error) {
	dir, err := hold.DefaultDir()
	if err != nil {
		return nil, err
	}
	all, err := hold.List(dir)
	if err != nil {
		return nil, err
	}
	var held []string
	for _, s := range all {
		if s.State != fault.Held && s.State != fault.Armed {
			continue
		}
		if s.Exercise != "" {
			own, err := w.Records(ctx, evidence.Filter{Kinds: []string{evidence.KindStarted}, Subject: s.Exercise})
			if err != nil {
				return nil, err
			}
			if len(own) == 0 {
				continue
			}
		}
		held = append(held, s.ID+" ("+s.Target+")")
	}
	return held, nil
}

// refusedError gives a guard's refusal its exit code and a way on.
func refusedError(err error) error {
	var refused *exercise.Refused
	var busy *local.Busy
	switch {
	case errors.As(err, &refused):
		for _, r := range refused.Refusals {
			switch r.Rule {
			case "held":
				return Hint(Exit(Refused, err), "end it with `belay halt`")
			case "lock":
				return Hint(Exit(Refused, err), "see `belay exercise list`; end it with `belay exercise abort`")
			case "doctor":
				return Hint(Exit(Refused, err), "see `belay doctor`, and start what is not running")
			case "lint":
				return Hint(Exit(Refused, err), "see `belay lint`")
			case "target":
				return Exit(Refused, err) // with its hint
			case "identity":
				return Hint(Exit(Refused, err), "use the credentials and the host that `identity` of the environment pins in belay.yaml, or correct it there")
			case "production":
				return Hint(Exit(Refused, err), "correct the fault, or the values of the environment")
			case "approvals":
				return Hint(Exit(Refused, err), "somebody other than the runner signs what --dry-run shows: `belay exercise approve`")
			case "mode":
				return Hint(Exit(Refused, err), "try --mode guided")
			}
		}
		return Exit(Refused, err)
	case errors.As(err, &busy):
		return Hint(Exit(Refused, err), "end it with `belay exercise abort %s`", busy.Exercise)
	}
	return err
}

// pauseAt is a test's hook: the runner waits when the phase begins, so that it can be killed there, or the world changed under
// it. With a file named, it goes on once that is there.
func pauseAt(app *App, phase exercise.Phase) {
	if v, ok := app.Env("BELAY_TEST_PAUSE"); !ok || v != string(phase) {
		return
	}
	wait := 30 * time.Second
	if v, ok := app.Env("BELAY_TEST_PAUSE_FOR"); ok {
		if d, err := time.ParseDuration(v); err == nil {
			wait = d
		}
	}
	until, named := app.Env("BELAY_TEST_PAUSE_UNTIL")
	for ; named && wait > 0; wait -= 10 * time.Millisecond {
		if _, err := os.Stat(until); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(wait)
}

// finish shows the end of an exercise and turns its verdict into an exit code.
func (app *App) finish(ctx context.Context, w *Workspace, r exercise.Result, runErr error, asJSON bool) error {
	if r.Verdict == "" {
		return refusedError(runErr)
	}
	record := exerciseRecord(context.WithoutCancel(ctx), w, r.ID)
	if asJSON {
		if err := app.JSON(exerciseJSON{r, record}); err != nil {
			return err
		}
	} else {
		showResult(app.Out(), r, record, w.Given)
	}
	if runErr != nil {
		return haltError(runErr)
	}
	if r.Verdict != exercise.Pass {
		return Exit(Refused, nil)
	}
	return nil
}

// exerciseJSON is what --json prints: the result and the record that holds it.
type exerciseJSON struct {
	exercise.Result
	Evidence string `json:"evidence,omitempty"`
}

// exerciseRecord is the ID of the record that holds an exercise's result.
func exerciseRecord(ctx context.Context, w *Workspace, id string) string {
	records, err := w.Records(ctx, evidence.Filter{Subject: id, Kinds: []string{evidence.KindExercise}})
	if err != nil || len(records) == 0 {
		return ""
	}
	return records[0].ID
}
