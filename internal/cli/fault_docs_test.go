package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v4"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/internal/cli"
	"github.com/belay-dr/belay/playbook"
)

// around is what stands around an example that is only a part of a fault, by page: what the page says above it.
var around = map[string]string{
	"aws.md":        `{account: "111122223333", region: us-west-2}`,
	"kubernetes.md": `{context: staging, namespace: shop}`,
}

// TestExamplesOfFaultsAreValid loads every example of a fault in the documentation as the fault of a scenario, and reads it
// as a holder would, so that what people copy is never refused.
func TestExamplesOfFaultsAreValid(t *testing.T) {
	pages, err := filepath.Glob("../../docs/reference/faults/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("pages: %d, %v", len(pages), err)
	}
	pages = append(pages, "../../docs/writing-a-plugin.md", "../../docs/writing-a-fault.md")
	seen := map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, example := range examples(t, filepath.Base(page), string(text)) {
			seen[kindOf(t, filepath.Base(page), example)] = true
		}
	}
	for kind := range all.Kinds() {
		if kind != fault.Remote && !seen[kind] {
			t.Errorf("no page has an example of %s", kind)
		}
	}
}

// TestExamplesOfSpecsAreValid reads every --spec in the documentation of the commands.
func TestExamplesOfSpecsAreValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	found := specFlag.FindAllSubmatch(text, -1)
	if len(found) < 3 {
		t.Errorf("only %d examples of --spec", len(found))
	}
	for _, m := range found {
		var spec fault.Spec
		if err := json.Unmarshal(m[1], &spec); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		} else if _, err := all.Kinds().Decode(spec); err != nil {
			t.Errorf("%v\n%s", err, m[1])
		}
	}
}

var (
	specFlag = regexp.MustCompile(`--spec '(\{[^']*\})'`)

	fence  = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```")
	topKey = regexp.MustCompile(`(?m)^[a-z_0-9]+:`)
)

// examples are the values of `fault:` in the YAML blocks of a page. A block whose first key is another one has parts of
// a fault, one a key.
func examples(t *testing.T, page, text string) (out []string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		starts := topKey.FindAllStringIndex(block[1], -1)
		for i, at := range starts {
			end := len(block[1])
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			key, part := strings.TrimSuffix(block[1][at[0]:at[1]], ":"), block[1][at[0]:end]
			switch frame, known := around[page]; {
			case key == "fault":
				out = append(out, part)
			case known:
				out = append(out, framed(t, strings.TrimSuffix(page, ".md"), frame, part))
			}
		}
	}
	return out
}

// framed is a whole fault of a part of one.
func framed(t *testing.T, kind, frame, part string) string {
	t.Helper()
	config := map[string]any{}
	for _, text := range []string{frame, part} {
		if err := yaml.Unmarshal([]byte(text), &config); err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, part)
		}
	}
	b, err := json.Marshal(map[string]any{kind: config}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	return "fault: " + string(b) + "\n"
}

// kindOf is the kind of an example, which must be valid.
func kindOf(t *testing.T, page, example string) string {
	t.Helper()
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"belay.yaml":         examplePlaybook,
		"scenarios/app.yaml": exampleScenario + example,
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	pb, err := playbook.Load(files, cli.Kinds())
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, example)
		return ""
	}
	s, _ := pb.Scenarios.Get("app")
	expanded, err := s.Fault.Expand(func(string) (string, bool) { return "app-1", true })
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, example)
		return ""
	}
	config, err := json.Marshal(expanded.Config)
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, example)
		return ""
	}
	spec, err := fault.Spec{Kind: expanded.Kind, Config: config}.At(expanded.Where)
	if err == nil {
		_, err = all.Kinds().Decode(spec)
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, example)
	}
	return s.Fault.Kind
}

const examplePlaybook = `application: shop
environments:
  staging:
    kind: non-production
    vars: {host: app-1}
services:
  app: {critical: always, rto: 1h, rpo: 24h}
people:
  alice: {name: Alice, roles: [development, testing, operations, stakeholder], services: [all], email: alice@example.com, available: on-call}
`

const exampleScenario = `scenario: app
class: disaster-recovery
covers: [app]
recovers_by: procedure
leads: {primary: alice}
severity: critical
rto: 1h
rpo: 24h
overview: [restart it]
recovery: [{id: restart, manual: Restart it}]
test: [{id: look, manual: Look at it}]
resume: [{id: rest, manual: Nothing else}]
`
