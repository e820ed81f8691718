package schema_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"

	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
)

func kinds() playbook.Kinds {
	return playbook.Kinds{"probe": probe.Kinds(), "check": probe.Checks(), "canary": canary.Kinds(), "fault": all.Kinds().Configs()}
}

const identifier = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

// builder makes one schema. Each struct becomes a definition of its own, so that the schema stays readable.
type builder struct {
	defs     jsonschema.Definitions
	comments map[string]string
}

func newBuilder(t *testing.T) *builder {
	t.Helper()
	t.Chdir("../..")
	var r jsonschema.Reflector
	for _, dir := range []string{"playbook", "measure/probe", "measure/canary", "fault/targets/all"} {
		if err := r.AddGoComments("github.com/belay-dr/belay", "./"+dir, jsonschema.WithFullComment()); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range r.CommentMap {
		r.CommentMap[key] = strings.Join(strings.Fields(text), " ")
	}
	return &builder{defs: jsonschema.Definitions{}, comments: r.CommentMap}
}

// document is the schema of one file.
func (b *builder) document(t *testing.T, root reflect.Type, title string) []byte {
	t.Helper()
	schema := b.object(root)
	schema.Version = jsonschema.Version
	schema.Title = title
	schema.Definitions = b.defs
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func refTo(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

// define keeps a definition and returns a reference to it. A definition that is being made refers to itself by name.
func (b *builder) define(name string, make func() *jsonschema.Schema) *jsonschema.Schema {
	if _, ok := b.defs[name]; !ok {
		b.defs[name] = nil
		b.defs[name] = make()
	}
	return refTo(name)
}

// value is the schema of any value.
func (b *builder) value(t reflect.Type) *jsonschema.Schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s := b.special(t, nil); s != nil {
		return s
	}
	switch t.Kind() {
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}
	case reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: b.value(t.Elem())}
	}
	return b.reflector(nil, t).ReflectFromType(t)
}

// special is the schema of a type that a reflector would get wrong; nil for the others and for the type being made.
func (b *builder) special(t, current reflect.Type) *jsonschema.Schema {
	switch t {
	case current:
		return nil
	case reflect.TypeFor[playbook.Duration](), reflect.TypeFor[time.Duration]():
		return b.define("duration", func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(w|d|h|ms|m|s))+$`, Description: "A length of time with a unit: 12h, 90s, 1h30m, 7d, 250ms."}
		})
	case reflect.TypeFor[playbook.Hours]():
		return b.define("hours", func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "string", Description: `Weekly hours, for example "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00 America/Los_Angeles", or on-call.`}
		})
	case reflect.TypeFor[playbook.Criticality]():
		return b.define("criticality", criticality)
	}
	if t.PkgPath() == reflect.TypeFor[playbook.Playbook]().PkgPath() && strings.HasPrefix(t.Name(), "Table[") {
		return b.table(b.value(t.Elem().Field(1).Type))
	}
	if words, ok := reflect.Zero(t).Interface().(interface{ Words() []string }); ok {
		schema := &jsonschema.Schema{Type: "string"}
		for _, w := range words.Words() {
			schema.Enum = append(schema.Enum, w)
		}
		return schema
	}
	if _, short := reflect.New(t).Interface().(playbook.Shorthand); short || t.Kind() == reflect.Struct && t.Name() != "" {
		name := strings.TrimPrefix(t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]+"-"+t.Name(), "playbook-")
		return b.define(strings.ToLower(name), func() *jsonschema.Schema { return b.withShort(t) })
	}
	return nil
}

func criticality() *jsonschema.Schema {
	period := jsonschema.NewProperties()
	for _, p := range [][2]string{{"period", `For example "02:00-03:00".`}, {"days", "For example daily or Mon-Fri."}, {"zone", "An IANA time zone."}} {
		period.Set(p[0], &jsonschema.Schema{Type: "string", Description: p[1]})
	}
	return &jsonschema.Schema{
		Description: "When the application cannot do without the service.",
		AnyOf: []*jsonschema.Schema{
			{Type: "string", Enum: []any{"always", "never", "unknown"}},
			{Type: "object", Properties: period, Required: []string{"period"}, AdditionalProperties: jsonschema.FalseSchema},
		},
	}
}

// table is the schema of a mapping from identifiers.
func (b *builder) table(row *jsonschema.Schema) *jsonschema.Schema {
	if row.Type == "string" && row.Enum == nil {
		row = &jsonschema.Schema{Extras: map[string]any{"type": []string{"string", "number"}}}
	}
	return &jsonschema.Schema{Type: "object", PropertyNames: &jsonschema.Schema{Pattern: identifier}, AdditionalProperties: row}
}

// withShort is the schema of a named type together with its short forms.
func (b *builder) withShort(t reflect.Type) *jsonschema.Schema {
	var long *jsonschema.Schema
	if t.Kind() == reflect.Struct {
		long = b.object(t)
	}
	short, ok := reflect.New(t).Interface().(playbook.Shorthand)
	if !ok {
		return long
	}
	scalar := &jsonschema.Schema{Extras: map[string]any{"type": []string{"string", "number"}}}
	forms := []*jsonschema.Schema{scalar}
	if short.Short([]string{"200", "200"}, true) == nil {
		forms = append(forms, &jsonschema.Schema{Type: "array", Items: scalar})
	}
	if long != nil {
		forms = append(forms, long)
	}
	return &jsonschema.Schema{AnyOf: forms, Description: b.comments[t.PkgPath()+"."+t.Name()]}
}

// reflector makes the schema of one struct; the structs inside it become definitions.
func (b *builder) reflector(current, t reflect.Type) *jsonschema.Reflector {
	tag := "json" // the other rooms say in their json tags what may be left out
	if strings.HasSuffix(t.PkgPath(), "/playbook") {
		tag = "yaml"
	}
	return &jsonschema.Reflector{
		Anonymous: true, DoNotReference: true, FieldNameTag: tag, CommentMap: b.comments,
		Mapper: func(inner reflect.Type) *jsonschema.Schema {
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner == reflect.TypeFor[playbook.Spec]() {
				return &jsonschema.Schema{} // the field's tag says of which family: see object
			}
			return b.special(inner, current)
		},
	}
}

// object is the schema of a struct.
func (b *builder) object(t reflect.Type) *jsonschema.Schema {
	schema := b.reflector(t, t).ReflectFromType(t)
	schema.Version, schema.ID = "", ""
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if strings.Contains(options, "environments") {
			schema.Properties.Delete(field.Name)
			schema.Required = slices.DeleteFunc(schema.Required, func(key string) bool { return key == field.Name })
			schema.AdditionalProperties = b.value(field.Type.Elem().Field(1).Type)
		}
		family, ok := field.Tag.Lookup("kind")
		if !ok {
			continue
		}
		spec := b.define(family, func() *jsonschema.Schema { return b.family(family) })
		if strings.HasPrefix(field.Type.Name(), "Table[") {
			spec = b.table(spec)
		}
		spec.Description = b.comments[t.PkgPath()+"."+t.Name()+"."+field.Name]
		schema.Properties.Set(name, spec)
	}
	return schema
}

// family is the schema of a spec: a mapping with one key, the kind.
func (b *builder) family(family string) *jsonschema.Schema {
	one := uint64(1)
	properties := jsonschema.NewProperties()
	table := kinds()[family]
	for _, kind := range sortedKeys(table) {
		properties.Set(kind, b.value(reflect.TypeOf(table[kind]())))
	}
	most := one
	if family == "fault" {
		most = 2
		properties.Set("where", &jsonschema.Schema{Type: "string", Description: "the host where the fault is made, as ssh://user@host; without it, the one that runs the exercise"})
	}
	return &jsonschema.Schema{Type: "object", Properties: properties, MinProperties: &one, MaxProperties: &most, AdditionalProperties: jsonschema.FalseSchema}
}
