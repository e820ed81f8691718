package bookstore_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belay-dr/belay/examples/bookstore"
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/lint"
)

func kinds() playbook.Kinds {
	return playbook.Kinds{"probe": probe.Kinds(), "check": probe.Checks(), "canary": canary.Kinds(), "fault": all.Kinds().Configs()}
}

func load(t *testing.T, dir string) *playbook.Playbook {
	t.Helper()
	pb, err := playbook.Load(os.DirFS(dir), kinds())
	if err != nil {
		t.Fatal(err)
	}
	return pb
}

// TestPlaybookLoads wants the playbook of the repository and the one written for a machine to be valid and safe to
// exercise.
func TestPlaybookLoads(t *testing.T) {
	dir := t.TempDir()
	if _, err := bookstore.Init(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"playbook", dir} {
		pb := load(t, dir)
		for _, f := range lint.Blockers(lint.Check(pb)) {
			t.Errorf("%s: %s: %s", f.Pos.File, f.ID, f.Message)
		}
		for _, id := range []string{"api-failure", "cdn-failure", "database-failure"} {
			if _, ok := pb.Scenarios.Get(id); !ok {
				t.Errorf("%s: no scenario %s", dir, id)
			}
		}
	}
}

// TestPlaybookHasTheFirstTeamsMistakes wants lint to find what the first team wrote down and nobody noticed.
func TestPlaybookHasTheFirstTeamsMistakes(t *testing.T) {
	found := lint.Check(load(t, "playbook"))
	for _, want := range []struct{ id, path, message string }{
		{"L001", "services.cdn.rto", "24h"},
		{"L101", "scenarios.api-failure.leads", "no lead is available"},
		{"L101", "scenarios.database-failure.leads", "no lead is available"},
		{"L301", "actions.launch-server-with-other-values", "ami-087ff330c90e99ac5"},
		{"L301", "actions.launch-server-with-other-values", "subnet-47ebaf0c"},
		{"L301", "actions.launch-server-with-other-values", "sg-25268a50"},
	} {
		if !slices.ContainsFunc(found, func(f lint.Finding) bool {
			return f.ID == want.id && strings.HasPrefix(f.Path, want.path) && strings.Contains(f.Message, want.message)
		}) {
			t.Errorf("lint does not find %s at %s: %s", want.id, want.path, want.message)
		}
	}
	if slices.ContainsFunc(found, func(f lint.Finding) bool { return f.ID == "L101" && f.Path == "scenarios.cdn-failure.leads" }) {
		t.Error("the CDN scenario has a lead on call, and lint says that hours are not covered")
	}
}

// TestInitKeepsWhatIsThere wants an edited playbook to survive.
func TestInitKeepsWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	first, err := bookstore.Init(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scenarios", "api-failure.yaml")
	if err := os.WriteFile(file, []byte("# mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := bookstore.Init(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if *first != *second {
		t.Errorf("the second Init changed %v to %v", first, second)
	}
	if b, _ := os.ReadFile(file); string(b) != "# mine\n" {
		t.Errorf("the edited file became %q", b)
	}
}
