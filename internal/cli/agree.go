package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	xterm "golang.org/x/term"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sshkey"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/stage"
)

type agreeOptions struct {
	Dir     string
	JSON    bool
	List    bool
	As      string
	Roles   []string
	Key     string
	Seen    bool
	Dissent string
	Answer  string
	Text    string
}

func newAgree(app *App) *cobra.Command {
	var o agreeOptions
	cmd := &cobra.Command{
		Use:   "agree [TEXT]",
		Short: "Sign the playbook as it is, for your role",
		Long: `Records that a person agrees to the substance of the playbook: services, criticality, objectives, leads, procedures,
thresholds and notifications. Phone numbers, notes and comments are no part of it. With --key the agreement is signed with the
person's SSH key, which must be one of those in the playbook; without, it is only claimed, and does not count.`,
		Example: `  $ belay agree --as alice --role stakeholder --key ~/.ssh/id_ed25519
  $ belay agree --as bob --role development --role testing --key ~/.ssh/id_ed25519.pub
  $ belay agree --as christina --seen --key ~/.ssh/id_ed25519
  $ belay agree --as bob --dissent "nobody can be reached at night" --key ~/.ssh/id_ed25519
  $ belay agree --as alice --answer 01JD8Z "the on-call rotation begins in May" --key ~/.ssh/id_ed25519
  $ belay agree --list`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.Text = args[0]
			}
			if o.List {
				return runAgreeList(cmd.Context(), app, o)
			}
			return runAgree(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	f := cmd.Flags()
	f.BoolVar(&o.List, "list", false, "show who has signed what")
	f.StringVar(&o.As, "as", "", "who you are: a `person` of the playbook")
	f.StringArrayVar(&o.Roles, "role", nil, "the `role` you speak for; may be given again")
	f.StringVar(&o.Key, "key", "", "your SSH key: a private key `file`, or a .pub file whose private half is in the SSH agent")
	f.BoolVar(&o.Seen, "seen", false, "say only that you have seen it")
	f.StringVar(&o.Dissent, "dissent", "", "object, with the `reason`; it blocks until somebody answers")
	f.StringVar(&o.Answer, "answer", "", "answer the dissent in this `record`, with TEXT")
	cmd.MarkFlagsMutuallyExclusive("list", "seen", "dissent", "answer")
	return cmd
}

// kind is what the options ask to be recorded.
func (o agreeOptions) kind() string {
	switch {
	case o.Seen:
		return evidence.KindSeen
	case o.Dissent != "":
		return evidence.KindDissent
	case o.Answer != "":
		return evidence.KindAnswer
	}
	return evidence.KindAgreement
}

func runAgree(ctx context.Context, app *App, o agreeOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	in, err := w.stageInput(ctx)
	if err != nil {
		return err
	}
	person, err := mayAgree(in.Playbook, o)
	if err != nil {
		return err
	}
	statements, err := o.statements(in)
	if err != nil {
		return err
	}
	if o.Key != "" {
		if err := signAll(app, o, person, statements); err != nil {
			return err
		}
	}
	if !o.JSON {
		showAgreed(app, in, o)
	}
	ledger, err := w.Ledger(ctx)
	if err != nil {
		return err
	}
	var records []evidence.Record
	for _, s := range statements {
		draft, err := s.Draft(o.kind(), person.Keys)
		if err != nil {
			return err
		}
		r, err := ledger.Append(ctx, draft)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	if o.JSON {
		return app.JSON(map[string]any{"records": records})
	}
	for i, r := range records {
		showStatement(app, o.kind(), statements[i], r)
	}
	// A dissent blocks as it is: it costs little to answer a false one, and much to overlook a true one.
	if o.Key == "" && o.kind() != evidence.KindDissent {
		fmt.Fprintf(app.Stderr, "belay: hint: without a signature this is only claimed and does not count; sign with: %s --key ~/.ssh/id_ed25519\n", o.command())
	}
	return nil
}

// command is the command line as it was given, for a hint.
func (o agreeOptions) command() string {
	parts := []string{"belay agree --as " + o.As}
	for _, role := range o.Roles {
		parts = append(parts, "--role "+role)
	}
	switch o.kind() {
	case evidence.KindSeen:
		parts = append(parts, "--seen")
	case evidence.KindDissent:
		parts = append(parts, fmt.Sprintf("--dissent %q", o.Dissent))
	case evidence.KindAnswer:
		parts = append(parts, fmt.Sprintf("--answer %s %q", o.Answer, o.Text))
	}
	return strings.Join(parts, " ")
}

// mayAgree finds the person and says no to what the person may not do.
func mayAgree(pb *playbook.Playbook, o agreeOptions) (*playbook.Person, error) {
	if o.As == "" {
		return nil, Hint(Exitf(Usage, "who agrees? --as is missing"), "the people are %s", strings.Join(pb.People.IDs(), ", "))
	}
	person, ok := pb.People.Get(o.As)
	if !ok {
		return nil, Hint(Exitf(Unauthorised, "%s is not a person of the playbook", o.As), "the people are %s", strings.Join(pb.People.IDs(), ", "))
	}
	held := make([]string, len(person.Roles))
	for i, role := range person.Roles {
		held[i] = string(role)
	}
	for _, role := range o.Roles {
		if !slices.Contains(held, role) {
			hint := fmt.Sprintf("%s holds the roles %s", o.As, strings.Join(held, ", "))
			if len(held) == 0 {
				hint = fmt.Sprintf("%s holds no role; give one under people.%s.roles in belay.yaml", o.As, o.As)
			}
			return nil, Hint(Exitf(Unauthorised, "%s does not hold the role %s", o.As, role), "%s", hint)
		}
	}
	if o.kind() != evidence.KindAgreement {
		return person, nil
	}
	if len(o.Roles) == 0 {
		return nil, Hint(Exitf(Usage, "for which role does %s agree? --role is missing", o.As), "%s holds: %s; to say only that you have seen it: --seen", o.As, strings.Join(held, ", "))
	}
	if pb.Agreement.Author == o.As && !pb.Agreement.AuthorMaySign {
		return nil, Hint(Exitf(Unauthorised, "%s is the author of the playbook, who may not sign it", o.As),
			"let somebody else with the role sign, or set agreement.author_may_sign: true in belay.yaml")
	}
	return person, nil
}

// statements are what is to be recorded: one for each role, or one in all.
func (o agreeOptions) statements(in stage.Input) ([]evidence.Agreement, error) {
	digest, parts := substanceOf(in.Playbook)
	s := evidence.Agreement{Application: in.Playbook.Application, Person: o.As, Substance: digest, Parts: parts}
	switch o.kind() {
	case evidence.KindDissent:
		s.Text = o.Dissent
	case evidence.KindAnswer:
		answered, err := findRecord(in.Records, o.Answer)
		if err != nil {
			return nil, err
		}
		if answered.Kind != evidence.KindDissent {
			return nil, Exitf(Usage, "record %s is no dissent, but of kind %s", answered.ID, answered.Kind)
		}
		if s.Text = strings.TrimSpace(o.Text); s.Text == "" {
			return nil, Hint(Exitf(Usage, "an answer needs words"), "belay agree --answer %s %q --as %s", o.Answer, "what we do about it", o.As)
		}
		s.Answers = answered.ID
	}
	if o.kind() != evidence.KindAnswer && o.Text != "" {
		return nil, Hint(Exitf(Usage, "unexpected argument %q", o.Text), "words belong to --dissent or --answer")
	}
	if len(o.Roles) == 0 || o.Seen {
		return []evidence.Agreement{s}, nil
	}
	var all []evidence.Agreement
	for _, role := range o.Roles {
		s.Role = role
		all = append(all, s)
	}
	return all, nil
}

// signAll signs the statements in place. The key must be one that the playbook has for the person: a signature that
// nobody can check is worth nothing.
func signAll(app *App, o agreeOptions, person *playbook.Person, statements []evidence.Agreement) (err error) {
	signer, err := app.loadKey(o.Key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, signer.Close()) }()
	if err := registered(person, o.As, signer); err != nil {
		return err
	}
	for i := range statements {
		if statements[i], err = statements[i].Sign(o.kind(), app.Clock.Now(), signer); err != nil {
			return err
		}
	}
	return nil
}

func registered(person *playbook.Person, id string, signer *sshkey.Signer) error {
	for _, line := range person.Keys {
		if evidence.SameKey(line, signer.PublicKey()) {
			return nil
		}
	}
	return Hint(Exitf(Unauthorised, "the key is not one of %s's keys in the playbook", id),
		"add it under people.%s.keys in belay.yaml: %q", id, evidence.AuthorizedKey(signer.PublicKey()))
}

// loadKey finds the signer; on a terminal it asks for a passphrase.
func (app *App) loadKey(path string) (*sshkey.Signer, error) {
	if home, ok := app.Env("HOME"); ok && strings.HasPrefix(path, "~/") {
		path = filepath.Join(home, path[2:])
	}
	loader := sshkey.Loader{}
	loader.AgentSocket, _ = app.Env("SSH_AUTH_SOCK")
	if stdin, ok := app.Stdin.(*os.File); ok && app.Interactive {
		loader.Ask = func(prompt string) ([]byte, error) {
			fmt.Fprint(app.Stderr, prompt)
			defer fmt.Fprintln(app.Stderr)
			return xterm.ReadPassword(int(stdin.Fd()))
		}
	}
	signer, err := loader.Load(path)
	switch {
	case errors.Is(err, sshkey.ErrPassphrase):
		return nil, Hint(err, "load it into an agent first: eval $(ssh-agent) && ssh-add %s", path)
	case errors.Is(err, sshkey.ErrPublic):
		return nil, Hint(err, "ssh-add %s", strings.TrimSuffix(path, ".pub"))
	}
	return signer, err
}

// showAgreed says what is agreed to, and what changed since the person last agreed.
func showAgreed(app *App, in stage.Input, o agreeOptions) {
	p := app.Out()
	digest, parts := substanceOf(in.Playbook)
	p.Line("%s: substance %s (%d parts)", p.Bold(in.Playbook.Application), digest, len(parts))
	changes, last := stage.Since(in, o.As)
	switch {
	case last == nil:
		p.Line("%s has not signed it before", o.As)
	case len(changes) == 0:
		p.Line("nothing changed since %s signed on %s", o.As, last.Signed.UTC().Format("2006-01-02"))
	default:
		p.Line("changed since %s signed on %s:", o.As, last.Signed.UTC().Format("2006-01-02"))
		for _, c := range changes {
			p.Line("  %s %s", pad(c.What, 8), c.Path)
		}
	}
}

func showStatement(app *App, kind string, s evidence.Agreement, r evidence.Record) {
	p := app.Out()
	did := map[string]string{
		evidence.KindAgreement: "agrees for " + s.Role, evidence.KindSeen: "has seen it",
		evidence.KindDissent: "dissents: " + s.Text, evidence.KindAnswer: "answers: " + s.Text,
	}[kind]
	grade := p.Good(string(r.Grade))
	if r.Grade != evidence.Attested {
		grade = p.Warn(string(r.Grade))
	}
	p.Line("%s %s (%s, record %d, %s)", s.Person, did, grade, r.Seq, r.ID)
}

func runAgreeList(ctx context.Context, app *App, o agreeOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	in, err := w.stageInput(ctx)
	if err != nil {
		return err
	}
	digest, _ := substanceOf(in.Playbook)
	signatures, dissents := stage.Signatures(in), stage.OpenDissents(in)
	if o.JSON {
		return app.JSON(map[string]any{"application": in.Playbook.Application, "substance": digest, "signatures": signatures, "dissents": dissents})
	}
	p := app.Out()
	p.Line("%s: substance %s", p.Bold(in.Playbook.Application), digest)
	t := p.Table("role", "person", "state", "why")
	for _, s := range signatures {
		role := string(s.Role)
		if role == "" {
			role = "seen"
		}
		state := string(s.State)
		if s.State == stage.Met {
			state = "signed"
		}
		t.Row(role, s.Person, p.Word(state), s.Why)
	}
	t.Print()
	for _, d := range dissents {
		p.Line("%s: %s on %s: %s (record %s)", p.Bad("dissent"), d.Person, d.Time.UTC().Format("2006-01-02"), d.Text, d.Record)
	}
	return nil
}
