package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	checker "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/schema"
)

var update = flag.Bool("update", false, "write the schemas")

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// TestSchemasAreUpToDate makes the schemas from the types and compares them with those that are committed.
func TestSchemasAreUpToDate(t *testing.T) {
	for name, c := range map[string]struct {
		root  reflect.Type
		title string
	}{
		schema.Belay:    {reflect.TypeFor[playbook.Playbook](), "Belay playbook: belay.yaml"},
		schema.Scenario: {reflect.TypeFor[playbook.Scenario](), "Belay playbook: a file under scenarios/"},
	} {
		t.Run(name, func(t *testing.T) {
			got := newBuilder(t).document(t, c.root, c.title)
			if *update {
				if err := os.WriteFile(filepath.Join("playbook/schema", name), got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := schema.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the committed schema is stale; write it with: go generate ./playbook/schema\n%s", diff)
			}
		})
	}
}

func compiled(t *testing.T, name string) *checker.Schema {
	t.Helper()
	text, err := schema.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := checker.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := checker.NewCompiler()
	if err := compiler.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is a YAML tree as an editor's validator sees it: dates are text.
func asJSON(n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return asJSON(n.Content[0])
	case yaml.AliasNode:
		return asJSON(n.Alias)
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = asJSON(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = asJSON(item)
		}
		return out
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return json.Number(n.Value)
	case "!!bool":
		return n.Value == "true"
	case "!!null":
		return nil
	}
	return n.Value
}

func validate(t *testing.T, file string) error {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		t.Fatal(err)
	}
	name := schema.Scenario
	if filepath.Base(file) == playbook.MainFile {
		name = schema.Belay
	}
	return compiled(t, name).Validate(asJSON(&node))
}

// TestValidPlaybooks checks every playbook that Load accepts.
func TestValidPlaybooks(t *testing.T) {
	for _, dir := range []string{"../testdata/valid", "../../examples/bookstore/playbook"} {
		if _, err := playbook.Load(os.DirFS(dir), kinds()); err != nil {
			t.Fatalf("%s:\n%v", dir, err)
		}
		scenarios, _ := filepath.Glob(filepath.Join(dir, "scenarios/*.yaml"))
		for _, file := range append(scenarios, filepath.Join(dir, playbook.MainFile)) {
			if err := validate(t, file); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestBrokenPlaybooks checks that the schema finds the mistakes that a schema can find.
func TestBrokenPlaybooks(t *testing.T) {
	for _, mistake := range []string{
		"unknown-key", "bad-duration", "missing-key", "wrong-type-list-for-text", "wrong-type-text-for-list", "wrong-type-text-for-mapping",
		"wrong-type-text-for-number", "null-value", "unknown-role", "unknown-class", "unknown-environment-kind", "unknown-criticality",
		"step-without-id", "unknown-kind", "two-kinds-in-probe", "unknown-key-in-kind", "bad-identifier",
	} {
		dirs, _ := filepath.Glob("../testdata/broken/*-" + mistake)
		if len(dirs) != 1 {
			t.Fatalf("%s: found %v", mistake, dirs)
		}
		line, err := os.ReadFile(filepath.Join(dirs[0], "want"))
		if err != nil {
			t.Fatal(err)
		}
		file, _, _ := strings.Cut(string(line), ":")
		if err := validate(t, filepath.Join(dirs[0], file)); err == nil {
			t.Errorf("%s: the schema accepts it", mistake)
		}
	}
}
