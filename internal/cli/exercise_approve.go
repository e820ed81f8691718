package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/playbook"
)

// defaultApproval is how long an approval is good when the environment does not say.
const defaultApproval = 4 * time.Hour

type exerciseApproveOptions struct {
	Dir         string
	JSON        bool
	Scenario    string
	Environment string
	Mode        string
	Limit       time.Duration
	As          string
	Role        string
	Key         string
}

func newExerciseApprove(app *App) *cobra.Command {
	var o exerciseApproveOptions
	cmd := &cobra.Command{
		Use:   "approve SCENARIO",
		Short: "Let an exercise begin, exactly as it is planned now",
		Long: `Sign that an exercise may begin, exactly as it is planned now. In production an exercise needs the approval of at least
one person other than its runner. An approval is bound to what would be done: when the playbook, the environment's values, the mode or the
limit change, it counts no more. It ends by itself.

` + "`belay exercise run SCENARIO --dry-run`" + ` shows what you approve.`,
		Example: `  $ belay exercise run api-failure --env production --mode guided --dry-run
  $ belay exercise approve api-failure --env production --mode guided --as alice --role stakeholder --key ~/.ssh/id_ed25519`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Scenario = args[0]
			return runExerciseApprove(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	f := cmd.Flags()
	f.StringVar(&o.Environment, "env", "", "`environment` in which it may begin")
	f.StringVar(&o.Mode, "mode", string(exercise.Guided), "the `mode` in which it may begin")
	f.DurationVar(&o.Limit, "limit", 0, "longest time the fault may be held, as the run will say it")
	f.StringVar(&o.As, "as", "", "who you are: a `person` of the playbook")
	f.StringVar(&o.Role, "role", "", "the `role` you speak for")
	f.StringVar(&o.Key, "key", "", "your SSH key: a private key `file`, or a .pub file whose private half is in the SSH agent")
	for _, name := range []string{"env", "as", "role", "key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

func runExerciseApprove(ctx context.Context, app *App, o exerciseApproveOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	pb, err := w.Playbook()
	if err != nil {
		return err
	}
	plan, err := exercise.Compile(pb, o.Scenario, o.Environment, exercise.Mode(o.Mode), exercise.CompileOptions{Limit: o.Limit})
	if err != nil {
		return Exit(Usage, err)
	}
	env, _ := pb.Environments.Get(o.Environment)
	person, err := mayApprove(pb, env.Approvals, o)
	if err != nil {
		return err
	}
	a := evidence.Approval{
		Application: pb.Application, Scenario: o.Scenario, Environment: o.Environment, Intent: plan.Intent(),
		Person: o.As, Role: o.Role, Until: app.Clock.Now().Add(approvalValid(env.Approvals)).UTC().Truncate(time.Second),
	}
	signer, err := app.loadKey(o.Key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, signer.Close()) }()
	if err := registered(person, o.As, signer); err != nil {
		return err
	}
	if a, err = a.Sign(app.Clock.Now(), signer); err != nil {
		return err
	}
	draft, err := a.Draft(person.Keys)
	if err != nil {
		return err
	}
	ledger, err := w.Ledger(ctx)
	if err != nil {
		return err
	}
	r, err := ledger.Append(ctx, draft)
	if err != nil {
		return err
	}
	if o.JSON {
		return app.JSON(map[string]any{"record": r})
	}
	app.Out().Line("%s approves %s in %s, %s, until %s (%s, record %d)", o.As, o.Scenario, o.Environment, o.Mode, a.Until.Format(time.RFC3339), r.Grade, r.Seq)
	return nil
}

func approvalValid(a *playbook.Approvals) time.Duration {
	if a == nil || a.Valid <= 0 {
		return defaultApproval
	}
	return time.Duration(a.Valid)
}

// mayApprove finds the person and says no to a role that is not the person's, or that may not approve here.
func mayApprove(pb *playbook.Playbook, a *playbook.Approvals, o exerciseApproveOptions) (*playbook.Person, error) {
	person, err := mayAgree(pb, agreeOptions{As: o.As, Roles: []string{o.Role}, Seen: true})
	if err != nil {
		return nil, err
	}
	if a != nil && len(a.Roles) > 0 && !slices.Contains(a.Roles, playbook.Role(o.Role)) {
		return nil, Hint(Exitf(Unauthorised, "the role %s may not approve in %s", o.Role, o.Environment), "environments.%s.approvals.roles in belay.yaml lists the roles", o.Environment)
	}
	return person, nil
}

// approvals are the people whose approvals of this plan count now.
func approvals(ctx context.Context, w *Workspace, pb *playbook.Playbook, plan exercise.Plan, now time.Time) ([]string, error) {
	records, err := w.Records(ctx, evidence.Filter{Kinds: []string{evidence.KindApproval}, Subject: plan.Scenario})
	if err != nil {
		return nil, err
	}
	env, _ := pb.Environments.Get(plan.Environment)
	var out []string
	for _, r := range records {
		var a evidence.Approval
		if json.Unmarshal(r.Payload, &a) != nil {
			continue // another version's; it cannot count
		}
		person, ok := pb.People.Get(a.Person)
		if !ok || !slices.Contains(person.Roles, playbook.Role(a.Role)) || slices.Contains(out, a.Person) {
			continue
		}
		if env.Approvals != nil && len(env.Approvals.Roles) > 0 && !slices.Contains(env.Approvals.Roles, playbook.Role(a.Role)) {
			continue
		}
		// A signature that promises more than the environment lets it is cut to that.
		if end := a.Signed.Add(approvalValid(env.Approvals)); a.Until.After(end) && !now.Before(end) {
			continue
		}
		if a.Counts(pb.Application, plan.Environment, plan.Intent(), person.Keys, now) {
			out = append(out, a.Person)
		}
	}
	return out, nil
}
