package schema_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"

	"github.com/belay-dr/belay/playbook"
)

// TestReferenceIsUpToDate makes docs/reference/playbook.md, every key of a playbook with its meaning, from the same types as the
// schemas.
func TestReferenceIsUpToDate(t *testing.T) {
	b := newBuilder(t) // also goes to the top of the repository
	r := &reference{b: b}
	r.line("# Every key of a playbook\n\nThis page is made from the types (`go generate ./playbook/schema`). A key with a * must be there. " +
		"A length of time has a unit: 12h, 90s, 1h30m, 7d, 250ms. An identifier has up to 64 letters, digits, `-` and `_`. " +
		"Texts of steps, actions, probes, checks and faults may hold `${placeholders}`: a variable of the environment, a value that an earlier step captured, or one of `" +
		strings.Join(playbook.Builtins(), "`, `") + "`. Write `$${` for a literal `${`.\n")
	r.section("belay.yaml", b.object(reflect.TypeFor[playbook.Playbook]()))
	r.section("scenarios/NAME.yaml", b.object(reflect.TypeFor[playbook.Scenario]()))
	for i := 0; i < len(r.queue); i++ {
		r.section(r.queue[i], b.defs[r.queue[i]])
	}
	const name = "docs/reference/playbook.md"
	got := r.text.String()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale; write it with: go generate ./playbook/schema\n%s", name, diff)
	}
}

// reference writes one section for each definition, in the order in which they are mentioned.
type reference struct {
	b     *builder
	text  strings.Builder
	queue []string
}

func (r *reference) line(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

func (r *reference) section(title string, s *jsonschema.Schema) {
	r.line("## %s\n", title)
	if s.Description != "" {
		r.line("%s\n", s.Description)
	}
	for _, form := range s.AnyOf {
		if form.Properties == nil {
			r.line("Short form: %s.\n", r.value(form))
		} else {
			s = form
		}
	}
	if s.Properties == nil || s.Properties.Len() == 0 {
		return
	}
	if s.MaxProperties != nil {
		r.line("Exactly one of these keys.\n")
	}
	r.line("| key | value | meaning |\n| --- | --- | --- |")
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		key := "`" + p.Key + "`"
		if slices.Contains(s.Required, p.Key) {
			key += " *"
		}
		r.line("| %s | %s | %s |", key, r.value(p.Value), strings.ReplaceAll(p.Value.Description, "|", "\\|"))
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Ref != "" {
		r.line("| the name of an environment | %s | What it is there. |", r.value(s.AdditionalProperties))
	}
	r.line("")
}

// value says in words what a value is.
func (r *reference) value(s *jsonschema.Schema) string {
	name, isRef := strings.CutPrefix(s.Ref, "#/$defs/")
	switch {
	case isRef && name == "duration":
		return "length of time"
	case isRef:
		if !slices.Contains(r.queue, name) {
			r.queue = append(r.queue, name)
		}
		return fmt.Sprintf("[%s](#%s)", name, name)
	case len(s.Enum) > 0:
		return strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Enum), "[]"), " ", ", ")
	case s.Type == "array":
		return "list of " + r.value(s.Items)
	case s.Type == "object" && s.AdditionalProperties != nil:
		return "mapping to " + r.value(s.AdditionalProperties)
	case s.Type == "string" || s.Extras["type"] != nil:
		return "text"
	case s.Type == "boolean":
		return "true or false"
	case s.Type == "integer" || s.Type == "number":
		return "number"
	}
	return "any value"
}
