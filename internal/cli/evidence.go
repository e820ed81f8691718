package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/internal/cli/term"
)

func newEvidence(app *App) *cobra.Command {
	return group("evidence", "List, show, verify and sign what was recorded",
		newEvidenceList(app), newEvidenceShow(app), newEvidenceVerify(app), newEvidenceSign(app))
}

type evidenceListOptions struct {
	Dir     string
	JSON    bool
	All     bool
	Kinds   []string
	Subject string
}

func newEvidenceList(app *App) *cobra.Command {
	var o evidenceListOptions
	cmd := &cobra.Command{
		Use: "list", Short: "List the records of the ledger",
		Example: `  $ belay evidence list
  $ belay evidence list --kind exercise.closed --json
  $ belay evidence list --all`,
		RunE: func(cmd *cobra.Command, args []string) error { return runEvidenceList(cmd.Context(), app, o) },
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().BoolVar(&o.All, "all", false, "also the events of the exercises' journals")
	cmd.Flags().StringArrayVar(&o.Kinds, "kind", nil, "only records of this `kind`; may be given again")
	cmd.Flags().StringVar(&o.Subject, "subject", "", "only records about this `subject`: an exercise, a person")
	return cmd
}

func runEvidenceList(ctx context.Context, app *App, o evidenceListOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	all, err := w.Records(ctx, evidence.Filter{Kinds: o.Kinds, Subject: o.Subject})
	if err != nil {
		return err
	}
	records := []evidence.Record{}
	hidden := 0
	for _, r := range all {
		if r.Kind == evidence.KindEvent && !o.All && len(o.Kinds) == 0 {
			hidden++
			continue
		}
		records = append(records, r)
	}
	if o.JSON {
		return app.JSON(map[string]any{"records": records})
	}
	p := app.Out()
	if len(all) == 0 && p.TTY {
		p.Line("No record yet. The first comes with: belay exercise run, or belay agree")
		return nil
	}
	t := p.Table("seq", "time", "kind", "grade", "actor", "what")
	for _, r := range records {
		t.Row(strconv.FormatInt(r.Seq, 10), p.When(r.Time), r.Kind, string(r.Grade), dash(r.Actor), summary(r))
	}
	t.Print()
	if hidden > 0 && p.TTY {
		p.Line("%s", p.Dim(fmt.Sprintf("and %s of exercises: belay evidence list --all%s", plural(hidden, "event"), inDir(o.Dir))))
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// summary says in a few words what a record is about.
func summary(r evidence.Record) string {
	var s struct {
		Role, Text, Criterion, Scenario, Verdict, Type string
		Plan                                           struct{ Scenario, Environment, Mode string }
	}
	if json.Unmarshal(r.Payload, &s) != nil {
		return r.Subject
	}
	var words []string
	for _, word := range []string{s.Plan.Scenario, s.Plan.Environment, s.Plan.Mode, s.Scenario, s.Verdict, s.Criterion, s.Role, s.Text, s.Type} {
		if word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return r.Subject
	}
	return strings.Join(words, " ")
}

type evidenceShowOptions struct {
	Dir    string
	JSON   bool
	Record string
}

func newEvidenceShow(app *App) *cobra.Command {
	var o evidenceShowOptions
	cmd := &cobra.Command{
		Use: "show RECORD", Short: "Show one record whole",
		Long: "Shows one record with its payload. RECORD is its number, its ID, or the beginning of its ID.",
		Example: `  $ belay evidence show 12
  $ belay evidence show 01JD8Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Record = args[0]
			return runEvidenceShow(cmd.Context(), app, o)
		},
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	return cmd
}

func runEvidenceShow(ctx context.Context, app *App, o evidenceShowOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	records, err := w.Records(ctx, evidence.Filter{})
	if err != nil {
		return err
	}
	r, err := findRecord(records, o.Record)
	if err != nil {
		return err
	}
	if o.JSON {
		return app.JSON(r)
	}
	return showRecord(app.Out(), r)
}

func showRecord(p *term.Printer, r evidence.Record) error {
	p.Line("%s  %s  %s", p.Bold(fmt.Sprintf("record %d", r.Seq)), r.Kind, r.ID)
	field := func(name, value string) {
		if value != "" {
			p.Line("%s %s", p.Dim(pad(name, 11)), value)
		}
	}
	field("time", r.Time.UTC().Format(time.RFC3339Nano))
	field("grade", string(r.Grade))
	field("subject", r.Subject)
	field("environment", r.Environment)
	field("actor", r.Actor)
	for _, name := range sortedKeys(r.Digests) {
		field("digest", name+" "+r.Digests[name])
	}
	field("prev", r.Prev)
	field("hash", r.Hash)
	if len(r.Payload) == 0 {
		return nil
	}
	payload := r.Payload
	if p.TTY {
		payload = withoutParts(payload)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, payload, "", "  "); err != nil {
		b.Reset()
		b.Write(r.Payload) // damaged: shown as it is
	}
	p.Line("%s\n%s", p.Dim("payload"), b.String())
	return nil
}

// withoutParts leaves the digests of the parts out, of which there are hundreds.
func withoutParts(payload json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	var parts map[string]string
	if json.Unmarshal(payload, &fields) != nil || json.Unmarshal(fields["parts"], &parts) != nil {
		return payload
	}
	short, err := json.Marshal(plural(len(parts), "digest") + ", shown by --json")
	if err != nil {
		return payload
	}
	fields["parts"] = short
	shorter, err := json.Marshal(fields)
	if err != nil {
		return payload
	}
	return shorter
}

// findRecord finds a record by its number, its ID, or the beginning of its ID.
func findRecord(records []evidence.Record, name string) (evidence.Record, error) {
	var found []evidence.Record
	for _, r := range records {
		switch {
		case r.ID == strings.ToUpper(name), strconv.FormatInt(r.Seq, 10) == name:
			return r, nil
		case name != "" && strings.HasPrefix(r.ID, strings.ToUpper(name)):
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return evidence.Record{}, Hint(Exitf(Failed, "no record %q in the ledger", name), "belay evidence list --all")
	}
	return evidence.Record{}, Hint(Exitf(Failed, "%q is the beginning of %d records", name, len(found)), "give more of the ID, such as %s", found[0].ID)
}
