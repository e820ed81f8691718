package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
)

type evidenceSignOptions struct {
	Dir  string
	JSON bool
	Key  string
	As   string
}

func newEvidenceSign(app *App) *cobra.Command {
	var o evidenceSignOptions
	cmd := &cobra.Command{
		Use: "sign", Short: "Sign how far the ledger reaches, so that a cut tail is found",
		Long: `Verifies the ledger and signs its last record's number and hash with your SSH key, in .belay/heads. Keep a copy somewhere
else: with it, belay evidence verify --head finds records that were removed from the end.`,
		Example: `  $ belay evidence sign --as alice --key ~/.ssh/id_ed25519
  $ cp .belay/heads/57.json /mnt/audit/`,
		RunE: func(cmd *cobra.Command, args []string) error { return runEvidenceSign(cmd.Context(), app, o) },
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().StringVar(&o.As, "as", "", "who you are: a `person` of the playbook")
	cmd.Flags().StringVar(&o.Key, "key", "", "your SSH key: a private key `file`, or a .pub file whose private half is in the SSH agent")
	for _, name := range []string{"as", "key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was defined above
		}
	}
	return cmd
}

func runEvidenceSign(ctx context.Context, app *App, o evidenceSignOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	pb, err := w.Playbook()
	if err != nil {
		return err
	}
	person, ok := pb.People.Get(o.As)
	if !ok {
		return Hint(Exitf(Unauthorised, "%s is not a person of the playbook", o.As), "the people are %s", strings.Join(pb.People.IDs(), ", "))
	}
	if _, err := os.Lstat(w.LedgerPath()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is nothing to sign: no ledger in %s", w.Dir)
	}
	ledger, err := w.Ledger(ctx)
	if err != nil {
		return err
	}
	records, problems := ledger.Verify(ctx)
	if problems != nil {
		return Hint(fmt.Errorf("the ledger does not verify: %w", evidence.AsProblems(problems)[0]), "belay evidence verify")
	}
	if len(records) == 0 {
		return errors.New("there is nothing to sign: the ledger has no records")
	}
	signer, err := app.loadKey(o.Key)
	if err != nil {
		return err
	}
	defer signer.Close()
	if err := registered(person, o.As, signer); err != nil {
		return err
	}
	head, err := evidence.NewHead(pb.Application, o.As, records, app.Clock.Now()).Sign(signer)
	if err != nil {
		return err
	}
	path, err := w.writeHead(head)
	if err != nil {
		return fmt.Errorf("write head: %w", err)
	}
	if o.JSON {
		return app.JSON(head)
	}
	p := app.Out()
	p.Line("%s signed %d records, head %s", o.As, head.Seq, head.Hash)
	p.Line("%s", path)
	fmt.Fprintln(app.Stderr, "belay: hint: keep a copy away from this directory, for `belay evidence verify --head FILE`")
	return nil
}

// writeHead writes .belay/heads/SEQ.json, whole or not at all. Another person's head of the same record stays.
func (w *Workspace) writeHead(head evidence.Head) (string, error) {
	if err := os.MkdirAll(w.headsDir(), 0o700); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.headsDir(), fmt.Sprintf("%d.json", head.Seq))
	if before, err := os.ReadFile(path); err == nil {
		var other evidence.Head
		if json.Unmarshal(before, &other) != nil || other.Person != head.Person {
			path = filepath.Join(w.headsDir(), fmt.Sprintf("%d-%s.json", head.Seq, head.Person))
		}
	}
	f, err := os.CreateTemp(w.headsDir(), ".head-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) // after the rename it is gone
	if _, err := f.Write(append(text, '\n')); err != nil {
		return "", errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}
