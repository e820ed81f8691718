package playbook

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Builtins are the placeholders that every text may use; the exercise gives them their values.
func Builtins() []string {
	return []string{"application", "scenario", "severity", "environment", "exercise", "since", "lead"}
}

// piece is a part of a text: literal text, or the name of a placeholder.
type piece struct {
	text string
	name string
}

// pieces cuts a text into literals and placeholders. "$${" stands for a literal "${". A "$" anywhere else is itself.
// The error names a placeholder that does not end, or whose name is none.
func pieces(text string) ([]piece, error) {
	var out []piece
	var literal strings.Builder
	for text != "" {
		i := strings.Index(text, "${")
		if i < 0 {
			literal.WriteString(text)
			break
		}
		if i > 0 && text[i-1] == '$' {
			literal.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		literal.WriteString(text[:i])
		name, rest, ended := strings.Cut(text[i+2:], "}")
		if !ended {
			return nil, fmt.Errorf("the placeholder ${%s is not closed", short(text[i+2:]))
		}
		if !isName(name) {
			return nil, fmt.Errorf("${%s} is no placeholder: a name has letters, digits, - and _; write $${ for a literal ${", short(name))
		}
		out = append(out, piece{text: literal.String()}, piece{name: name})
		literal.Reset()
		text = rest
	}
	return append(out, piece{text: literal.String()}), nil
}

// short cuts a text that is shown inside a message.
func short(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if runes := []rune(text); len(runes) > 24 {
		return string(runes[:24]) + "…"
	}
	return text
}

// isName says whether a text can name a placeholder.
func isName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= longestIdentifier
}

// Placeholders returns the names in the text, in order, each once. A text with a broken placeholder has none.
func Placeholders(text string) []string {
	parts, err := pieces(text)
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range parts {
		if p.name != "" && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

// Expand replaces each ${name} by what lookup knows of it. The values are taken as they are: a placeholder inside a value is
// not expanded. "$${" becomes a literal "${". A name that lookup does not know is an error, and no text is returned.
func Expand(text string, lookup func(name string) (string, bool)) (string, error) {
	parts, err := pieces(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	var unknown []string
	for _, p := range parts {
		b.WriteString(p.text)
		if p.name == "" {
			continue
		}
		value, ok := lookup(p.name)
		if !ok {
			unknown = append(unknown, "${"+p.name+"}")
		}
		b.WriteString(value)
	}
	if unknown != nil {
		return "", fmt.Errorf("no value for %s", strings.Join(unknown, ", "))
	}
	return b.String(), nil
}

// Expand returns a deep copy of the spec in which each string is expanded. The spec itself is not changed. Unexported
// fields are copied as they are.
func (s Spec) Expand(lookup func(name string) (string, bool)) (Spec, error) {
	if s.Config == nil {
		return s, nil
	}
	copied, err := expandValue(reflect.ValueOf(s.Config), lookup)
	if err != nil {
		return Spec{}, fmt.Errorf("expand %s: %w", s.Kind, err)
	}
	where, err := Expand(s.Where, lookup)
	if err != nil {
		return Spec{}, fmt.Errorf("expand %s: %w", s.Kind, err)
	}
	return Spec{Kind: s.Kind, Config: copied.Interface(), Where: where}, nil
}

// expandValue copies a value deeply, with each string expanded.
func expandValue(v reflect.Value, lookup func(string) (string, bool)) (reflect.Value, error) {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		text, err := Expand(v.String(), lookup)
		out.SetString(text)
		return out, err
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return out, nil
		}
		inner, err := expandValue(v.Elem(), lookup)
		if err != nil {
			return out, err
		}
		if v.Kind() == reflect.Interface {
			out.Set(inner)
			return out, nil
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(inner)
	case reflect.Struct:
		return out, expandFields(v, out, lookup)
	case reflect.Slice:
		if v.IsNil() {
			return out, nil
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		return out, expandElements(v, out, lookup)
	case reflect.Array:
		return out, expandElements(v, out, lookup)
	case reflect.Map:
		return expandMap(v, lookup)
	}
	return out, nil
}

func expandFields(v, out reflect.Value, lookup func(string) (string, bool)) error {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		field, err := expandValue(v.Field(i), lookup)
		if err != nil {
			return err
		}
		out.Field(i).Set(field)
	}
	return nil
}

func expandElements(v, out reflect.Value, lookup func(string) (string, bool)) error {
	for i := range v.Len() {
		element, err := expandValue(v.Index(i), lookup)
		if err != nil {
			return err
		}
		out.Index(i).Set(element)
	}
	return nil
}

func expandMap(v reflect.Value, lookup func(string) (string, bool)) (reflect.Value, error) {
	if v.IsNil() {
		return v, nil
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	for _, key := range v.MapKeys() {
		value, err := expandValue(v.MapIndex(key), lookup)
		if err != nil {
			return out, err
		}
		out.SetMapIndex(key, value)
	}
	return out, nil
}
