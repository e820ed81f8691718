package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/evidence"
	"github.com/belay-dr/belay/evidence/sqlite"
	"github.com/belay-dr/belay/playbook"
)

type evidenceVerifyOptions struct {
	Dir   string
	JSON  bool
	Heads []string
}

func newEvidenceVerify(app *App) *cobra.Command {
	var o evidenceVerifyOptions
	cmd := &cobra.Command{
		Use: "verify", Short: "Check that nothing was changed, removed or put in",
		Long: `Checks every record's hash, the chain from the first record to the last, the signed heads under .belay/heads, and the files
of raw data that the exercises' results name. Each problem is one line, and the exit code is 1. A head that is kept outside
the ledger's directory (--head FILE) shows more: whoever can change the ledger can also remove the heads beside it.

Nothing is made or changed, so a copy that cannot be written is checked, too.`,
		Example: `  $ belay evidence verify
  $ belay evidence verify --head /mnt/audit/57.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runEvidenceVerify(cmd.Context(), app, o) },
	}
	dirFlag(cmd, &o.Dir)
	jsonFlag(cmd, &o.JSON)
	cmd.Flags().StringArrayVar(&o.Heads, "head", nil, "a signed head kept elsewhere (a `file`); may be given again")
	return cmd
}

// Verification is what `belay evidence verify --json` prints.
type Verification struct {
	OK      bool `json:"ok"`
	Records int  `json:"records"`
	// Head is the hash of the last record.
	Head string `json:"head"`
	// SignedHeads and RawFiles are how many were checked.
	SignedHeads int                `json:"signed_heads"`
	RawFiles    int                `json:"raw_files"`
	Problems    []evidence.Problem `json:"problems"`
	// Notes are no problems, but worth a look.
	Notes []string `json:"notes"`
}

func runEvidenceVerify(ctx context.Context, app *App, o evidenceVerifyOptions) (err error) {
	w, err := app.Workspace(o.Dir)
	if err != nil {
		return err
	}
	defer closing(w, &err)
	v, err := w.verify(ctx, o.Heads)
	if err != nil {
		return err
	}
	if o.JSON {
		if err := app.JSON(v); err != nil {
			return err
		}
	} else {
		showVerification(app, v)
	}
	if !v.OK {
		return Exit(Failed, nil)
	}
	return nil
}

func showVerification(app *App, v Verification) {
	p := app.Out()
	for _, problem := range v.Problems {
		p.Line("%s: %s", p.Bad(string(problem.Rule)), problem.Error())
	}
	for _, note := range v.Notes {
		p.Line("%s: %s", p.Warn("note"), note)
	}
	if v.OK {
		p.Line("%s: %s, head %s, %s, %s", p.Good("OK"), plural(v.Records, "record"), v.Head,
			plural(v.SignedHeads, "signed head"), plural(v.RawFiles, "raw file"))
		return
	}
	p.Line("%s: %s in %s", p.Bad("NOT OK"), plural(len(v.Problems), "problem"), plural(v.Records, "record"))
}

// verify checks the ledger, the heads and the raw data.
func (w *Workspace) verify(ctx context.Context, files []string) (Verification, error) {
	v := Verification{Head: evidence.Genesis, Problems: []evidence.Problem{}, Notes: []string{}}
	heads, err := w.heads(files, &v)
	if err != nil {
		return v, err
	}
	var records []evidence.Record
	var problems error
	err = w.reading(ctx, func(db *sqlite.DB) error {
		records, problems = db.Verify(ctx, heads...)
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) && len(heads) > 0 {
		problems, err = evidence.Verify(nil, heads...), nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return v, Hint(fmt.Errorf("no ledger in %s", w.Dir), "--dir names the directory of the playbook")
	} else if err != nil {
		return v, err
	}
	v.Problems = append(v.Problems, evidence.AsProblems(problems)...)
	if err := w.verifyRaw(records, &v); err != nil {
		return v, err
	}
	for _, r := range evidence.Backwards(records) {
		v.Notes = append(v.Notes, fmt.Sprintf("record %d (%s %s) is dated before the one that precedes it: the clock was set back", r.Seq, r.Kind, r.ID))
	}
	if v.Records = len(records); v.Records > 0 {
		v.Head = records[v.Records-1].Hash
	}
	v.OK = len(v.Problems) == 0
	return v, nil
}

// heads reads the signed heads beside the ledger and in the files, and checks their signatures.
func (w *Workspace) heads(files []string, v *Verification) ([]evidence.Head, error) {
	own, err := filepath.Glob(filepath.Join(w.headsDir(), "*.json"))
	if err != nil {
		return nil, fmt.Errorf("find heads: %w", err)
	}
	pb, pbErr := w.Playbook()
	var heads []evidence.Head
	for _, path := range slices.Concat(own, files) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read head: %w", err)
		}
		problem := func(format string, args ...any) {
			v.Problems = append(v.Problems, evidence.Problem{Rule: evidence.RuleHead, Message: filepath.Base(path) + ": " + fmt.Sprintf(format, args...)})
		}
		var head evidence.Head
		if err := json.Unmarshal(text, &head); err != nil {
			problem("it is no signed head: %v", err)
			continue
		}
		if pbErr != nil {
			v.Notes = append(v.Notes, fmt.Sprintf("%s: the playbook cannot be read, so the key is not known to be %s's", filepath.Base(path), head.Person))
		}
		if err := head.Verify(headKeys(pb, pbErr, head)); err != nil {
			problem("the signature by %s does not hold: %v", head.Person, err)
			continue
		}
		heads = append(heads, head)
	}
	v.SignedHeads = len(heads)
	return heads, nil
}

// headKeys are the keys that a head may be signed with. Without a playbook the head's own key shows at least that it is whole.
func headKeys(pb *playbook.Playbook, pbErr error, head evidence.Head) []string {
	if pbErr != nil {
		return []string{head.Key}
	}
	if person, ok := pb.People.Get(head.Person); ok {
		return person.Keys
	}
	return nil
}

func (w *Workspace) headsDir() string { return filepath.Join(w.State(), "heads") }

// rawPrefix marks a digest of a file: "file:samples.jsonl" in the directory of the exercise's raw data, or a path from the
// directory of the playbook, such as "file:.belay/exercises/ID/samples.jsonl".
const rawPrefix = "file:"

// verifyRaw recomputes the digests of the files that the results of exercises name.
func (w *Workspace) verifyRaw(records []evidence.Record, v *Verification) error {
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return fmt.Errorf("open workspace: %w", err)
	}
	defer root.Close()
	for _, r := range records {
		if r.Kind != evidence.KindExercise {
			continue
		}
		var result struct {
			ID      string            `json:"id"`
			Digests map[string]string `json:"digests"`
		}
		if json.Unmarshal(r.Payload, &result) != nil {
			continue // the chain's verification has named it, if it was changed
		}
		named := maps.Clone(r.Digests)
		if named == nil {
			named = map[string]string{}
		}
		maps.Copy(named, result.Digests)
		for _, name := range sortedKeys(named) {
			path, isFile := strings.CutPrefix(name, rawPrefix)
			if !isFile {
				continue
			}
			if !strings.Contains(path, "/") {
				path = ".belay/exercises/" + result.ID + "/" + path
			}
			v.RawFiles++
			if why := rawProblem(root, path, named[name]); why != "" {
				v.Problems = append(v.Problems, evidence.Problem{Seq: r.Seq, ID: r.ID, Kind: r.Kind, Rule: evidence.RuleRaw, Message: path + " " + why})
			}
		}
	}
	return nil
}

// rawProblem says what is wrong with a file, or nothing. A path that leads out of the workspace is not followed.
func rawProblem(root *os.Root, path, want string) string {
	f, err := root.Open(filepath.FromSlash(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "is missing"
	} else if err != nil {
		return fmt.Sprintf("cannot be read: %v", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Sprintf("cannot be read: %v", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.TrimPrefix(want, "sha256:") {
		return "was changed: its digest is not the recorded one"
	}
	return ""
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
