package playbook

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills typed values from the nodes of one file and notes each mistake on the way.
type decoder struct {
	*loader
	file string
}

// place is where a value stands and what is allowed there.
type place struct {
	path string
	// family is the family of kinds of a Spec.
	family string
	// free texts may be empty, because they are data and not prose.
	free bool
}

func (p place) key(k string) place { p.path = join(p.path, k); return p }

func (p place) item(i int) place { p.path = fmt.Sprintf("%s[%d]", p.path, i); return p }

// fieldOf is the settable value behind a pointer.
func fieldOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

// wrong notes a mistake about the node at the place. It returns false, as decode does after a mistake.
func (d *decoder) wrong(n *yaml.Node, at place, message, hint string) bool {
	d.fail(nodePos(d.file, n), at.path, message, hint)
	return false
}

// decode fills v from the node. It returns false when it noted a mistake.
func (d *decoder) decode(n *yaml.Node, at place, v reflect.Value) bool {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if strings.HasPrefix(n.Tag, "!") && !plainTag(n.ShortTag()) {
		return d.wrong(n, at, fmt.Sprintf("the YAML tag %s has no meaning here", n.Tag), "remove it")
	}
	if n.ShortTag() == "!!null" {
		if v.Kind() == reflect.Interface && at.free {
			return true
		}
		return d.wrong(n, at, "has no value", "give it one, or leave the key out")
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, at, v.Elem())
	}
	switch p := v.Addr().Interface().(type) {
	case *Spec:
		return d.spec(n, at, p)
	case *Criticality:
		return d.criticality(n, at, p)
	case *Hours:
		return d.hours(n, at, p)
	case *Duration:
		return d.duration(n, at, p)
	case *time.Duration:
		return d.duration(n, at, (*Duration)(p))
	case table:
		return d.table(n, at, p)
	case Shorthand:
		if n.Kind != yaml.MappingNode {
			return d.shorthand(n, at, p)
		}
	case closed:
		return d.word(n, at, v, p.Words())
	case encoding.TextUnmarshaler:
		return d.textual(n, at, p)
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.fields(n, at, v)
	case reflect.Slice:
		return d.list(n, at, v)
	case reflect.Map:
		return d.dictionary(n, at, v)
	case reflect.Interface:
		value, ok := d.anything(n, at)
		if ok && value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return ok
	default:
		return d.scalar(n, at, v)
	}
}

func plainTag(tag string) bool {
	return slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq", "!!timestamp", "!!merge", "!"}, tag)
}

// table is a Table of any row type.
type table interface {
	// add appends a row and returns a pointer to its value, which is good until the next call.
	add(id string) any
}

func (t *Table[T]) add(id string) any {
	*t = append(*t, Row[T]{ID: id})
	return &(*t)[len(*t)-1].Value
}

// pair is one entry of a mapping.
type pair struct {
	key   *yaml.Node
	value *yaml.Node
}

// pairs returns the entries of a mapping without those that are wrong by themselves: keys that are no text, keys that were there
// before, and merges.
func (d *decoder) pairs(n *yaml.Node, at place, want string) ([]pair, bool) {
	if n.Kind != yaml.MappingNode {
		return nil, d.wrong(n, at, "want "+want+", got "+describe(n), "")
	}
	if !d.bounded(n, at, len(n.Content)/2) {
		return nil, false
	}
	ok := true
	first := map[string]*yaml.Node{}
	var out []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode:
			ok = d.wrong(key, at, "a key must be a text, got "+describe(key), "")
		case key.ShortTag() == "!!merge":
			ok = d.wrong(key, at, "merge keys (<<) are not used in a playbook", "write the keys out, or use an alias for the whole value")
		case first[key.Value] != nil:
			ok = d.wrong(key, at.key(shown(key.Value)), fmt.Sprintf("duplicate key %q", key.Value), fmt.Sprintf("the first one is on line %d", first[key.Value].Line))
		default:
			first[key.Value] = key
			out = append(out, pair{key, value})
			d.remember(at.key(key.Value).path, key, value)
		}
	}
	return out, ok
}

// bounded refuses a list or mapping with more entries than a person wrote. What comes after may take time in proportion to the
// square of their number.
func (d *decoder) bounded(n *yaml.Node, at place, entries int) bool {
	if entries <= mostEntries {
		return true
	}
	return d.wrong(n, at, fmt.Sprintf("has %d entries; at most %d are read", entries, mostEntries), "")
}

// remember keeps the place of what a key holds.
func (d *decoder) remember(path string, key, value *yaml.Node) {
	if value.Kind == yaml.ScalarNode {
		key = value
	}
	d.positions[path] = nodePos(d.file, key)
}

// field is one field of a struct as YAML sees it.
type field struct {
	key      string
	required bool
	family   string
	free     bool
	rest     bool // takes the keys that no other field takes
	index    []int
}

// fieldsOf lists the fields of a struct type.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if strings.Contains(options, "inline") {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		out = append(out, field{
			key: name, index: []int{i}, family: f.Tag.Get("kind"), free: f.Tag.Get("text") == "any",
			required: tagged && !strings.Contains(options+f.Tag.Get("json"), "omit") && !strings.Contains(options, "environments"),
			rest:     strings.Contains(options, "environments"),
		})
	}
	return out
}

// fields fills a struct from a mapping.
func (d *decoder) fields(n *yaml.Node, at place, v reflect.Value) bool {
	entries, ok := d.pairs(n, at, "a mapping")
	if n.Kind != yaml.MappingNode {
		return false
	}
	fields := fieldsOf(v.Type())
	var keys []string
	var rest *field
	for i, f := range fields {
		if f.rest {
			rest = &fields[i]
			continue
		}
		keys = append(keys, f.key)
	}
	meant, given := map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		i := slices.IndexFunc(fields, func(f field) bool { return !f.rest && f.key == e.key.Value })
		inside := at.key(shown(e.key.Value))
		switch {
		case i >= 0:
			given[e.key.Value] = true
			inside.family, inside.free = fields[i].family, at.free || fields[i].free
			ok = d.decode(e.value, inside, v.FieldByIndex(fields[i].index)) && ok
		case rest != nil && isIdentifier(e.key.Value):
			d.keys[inside.path] = nodePos(d.file, e.key)
			row := v.FieldByIndex(rest.index).Addr().Interface().(table).add(e.key.Value)
			ok = d.decode(e.value, inside, fieldOf(row)) && ok
		default:
			meant[nearest(e.key.Value, keys)] = true
			ok = d.unknownKey(e.key, at, keys)
		}
	}
	for _, f := range fields {
		if meant[f.key] {
			d.bad[join(at.path, f.key)] = true
		}
		if f.required && !given[f.key] && !meant[f.key] {
			ok = d.missing(n, at, f.key)
		}
	}
	return ok
}

// unknownKey notes a key that the type does not have.
func (d *decoder) unknownKey(key *yaml.Node, at place, keys []string) bool {
	hint := didYouMean(key.Value, keys)
	if yaml11(key.Value) {
		hint = "YAML 1.1 tools read this word as true, false or nothing; no key is called so"
	}
	return d.wrong(key, at.key(shown(key.Value)), fmt.Sprintf("unknown key %q", shown(key.Value)), hint)
}

// missingKey is what is said of a required key that is not there.
func missingKey(key string) string { return fmt.Sprintf("missing required key %q", key) }

// missing notes a required key that is not there, at the place of what should hold it.
func (d *decoder) missing(n *yaml.Node, at place, key string) bool {
	pos, ok := d.positions[at.path]
	if !ok || pos.File != d.file {
		pos = nodePos(d.file, n)
	}
	whole := d.bad[at.path]
	d.fail(pos, at.path, missingKey(key), "")
	d.bad[at.path], d.bad[join(at.path, key)] = whole, true
	return false
}

// table fills a Table from a mapping, in order.
func (d *decoder) table(n *yaml.Node, at place, t table) bool {
	entries, ok := d.pairs(n, at, "a mapping of identifiers")
	for _, e := range entries {
		inside := at.key(shown(e.key.Value))
		bare := e.key.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
		switch {
		case bare && yaml11(e.key.Value):
			ok = d.wrong(e.key, inside, fmt.Sprintf("the key %s is not a text for YAML 1.1 tools", e.key.Value), fmt.Sprintf("did you mean %q, with quotes?", e.key.Value))
		case len(e.key.Value) > longestIdentifier:
			ok = d.wrong(e.key, inside, fmt.Sprintf("the identifier is longer than %d characters", longestIdentifier), "")
		case !isIdentifier(e.key.Value):
			ok = d.wrong(e.key, inside, fmt.Sprintf("%q is no identifier", shown(e.key.Value)), "letters, digits, - and _, beginning with a letter or digit")
		}
		ok = d.decode(e.value, inside, fieldOf(t.add(e.key.Value))) && ok
	}
	return ok
}

// list fills a slice.
func (d *decoder) list(n *yaml.Node, at place, v reflect.Value) bool {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && len(n.Value) < 40 && !strings.ContainsAny(n.Value, "\n,[]{}\"':") {
			hint = fmt.Sprintf("did you mean [%s]?", n.Value)
		}
		return d.wrong(n, at, "want a list, got "+describe(n), hint)
	}
	if !d.bounded(n, at, len(n.Content)) {
		return false
	}
	ok := true
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.positions[at.item(i).path] = nodePos(d.file, item)
		ok = d.decode(item, at.item(i), v.Index(i)) && ok
	}
	return ok
}

// dictionary fills a map with string keys.
func (d *decoder) dictionary(n *yaml.Node, at place, v reflect.Value) bool {
	entries, ok := d.pairs(n, at, "a mapping")
	if n.Kind != yaml.MappingNode {
		return false
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range entries {
		value := reflect.New(v.Type().Elem()).Elem()
		ok = d.decode(e.value, at.key(shown(e.key.Value)), value) && ok
		v.SetMapIndex(reflect.ValueOf(e.key.Value).Convert(v.Type().Key()), value)
	}
	return ok
}

// shown makes a key fit for a message.
func shown(key string) string {
	key = strings.Map(func(r rune) rune {
		if isControl(r) || r == '\n' || r == '\r' || r == '\t' || r == '\u0085' || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, key)
	if runes := []rune(key); len(runes) > longestIdentifier {
		return string(runes[:longestIdentifier]) + "…"
	}
	return key
}

// describe names a node in a message.
func describe(n *yaml.Node) string {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + shown(n.Value)
	case "!!bool":
		return "the word " + shown(n.Value)
	}
	return fmt.Sprintf("the text %q", short(n.Value))
}
