package playbook

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// text reads a scalar as text and keeps it for the check of placeholders. Numbers and dates count as the text they are
// written as, so that a phone number or an account number needs no quotes.
func (d *decoder) text(n *yaml.Node, at place) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		return "", d.wrong(n, at, "want a text, got "+describe(n), "")
	}
	if n.ShortTag() == "!!bool" {
		return "", d.wrong(n, at, "want a text, got "+describe(n), fmt.Sprintf("did you mean %q, with quotes?", n.Value))
	}
	for _, r := range n.Value {
		if isControl(r) || r == '\r' {
			return "", d.wrong(n, at, fmt.Sprintf("the text holds the control character U+%04X", r), "remove it")
		}
	}
	switch {
	case len(n.Value) > longestText:
		return "", d.wrong(n, at, fmt.Sprintf("the text is longer than %d bytes", longestText), "")
	case !at.free && strings.TrimSpace(n.Value) == "":
		return "", d.wrong(n, at, "the text is empty", "write it, or leave the key out")
	}
	d.texts = append(d.texts, text{at.path, n.Value})
	return n.Value, true
}

// scalar fills a string, number or boolean.
func (d *decoder) scalar(n *yaml.Node, at place, v reflect.Value) bool {
	want := "a number"
	switch {
	case v.Kind() == reflect.String:
		value, ok := d.text(n, at)
		v.SetString(value)
		return ok
	case v.Kind() == reflect.Bool:
		want = "true or false"
	case v.CanInt() || v.CanUint():
		want = "a whole number"
	}
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "${") {
		return d.wrong(n, at, "a placeholder can only stand in a text; want "+want, "")
	}
	if n.Kind == yaml.ScalarNode {
		switch err := setScalar(n, v); {
		case err == nil:
			return true
		case errors.Is(err, strconv.ErrRange):
			return d.wrong(n, at, "the number is too large", "")
		}
	}
	return d.wrong(n, at, "want "+want+", got "+describe(n), scalarHint(n, v))
}

// setScalar reads a boolean or a number.
func setScalar(n *yaml.Node, v reflect.Value) error {
	tag := n.ShortTag()
	switch {
	case v.Kind() == reflect.Bool:
		if tag != "!!bool" {
			return strconv.ErrSyntax
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt():
		value, err := strconv.ParseInt(n.Value, 0, v.Type().Bits())
		if err != nil || tag != "!!int" {
			return cmp.Or(err, strconv.ErrSyntax)
		}
		v.SetInt(value)
	case v.CanUint():
		value, err := strconv.ParseUint(n.Value, 0, v.Type().Bits())
		if err != nil || tag != "!!int" {
			return cmp.Or(err, strconv.ErrSyntax)
		}
		v.SetUint(value)
	case v.CanFloat():
		value, err := strconv.ParseFloat(n.Value, v.Type().Bits())
		if err != nil || tag != "!!int" && tag != "!!float" {
			return cmp.Or(err, strconv.ErrSyntax)
		}
		v.SetFloat(value)
	default:
		return strconv.ErrSyntax
	}
	return nil
}

// scalarHint suggests the boolean that was meant.
func scalarHint(n *yaml.Node, v reflect.Value) string {
	if v.Kind() != reflect.Bool {
		return ""
	}
	switch strings.ToLower(n.Value) {
	case "yes", "on", "true":
		return "did you mean true?"
	case "no", "off", "false":
		return "did you mean false?"
	}
	return ""
}

// word fills a string type with a fixed set of words.
func (d *decoder) word(n *yaml.Node, at place, v reflect.Value, words []string) bool {
	value, ok := d.text(n, at)
	if !ok {
		return false
	}
	for _, w := range words {
		if w == value {
			v.SetString(value)
			return true
		}
	}
	return d.wrong(n, at, fmt.Sprintf("unknown %s %q", wordName(v.Type()), short(value)), didYouMean(value, words))
}

// wordName says what the words of a type are.
func wordName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[EnvironmentKind]():
		return "kind of environment"
	case reflect.TypeFor[Attribution]():
		return "way to recover"
	case reflect.TypeFor[Repeat]():
		return "repeat"
	}
	return strings.ToLower(t.Name())
}

// duration reads a length of time.
func (d *decoder) duration(n *yaml.Node, at place, v *Duration) bool {
	if n.Kind != yaml.ScalarNode {
		return d.wrong(n, at, "want a length of time such as 12h, got "+describe(n), "")
	}
	if strings.Contains(n.Value, "${") {
		return d.wrong(n, at, "a placeholder can only stand in a text; want a length of time such as 12h", "")
	}
	value, err := ParseDuration(n.Value)
	if err != nil {
		return d.wrong(n, at, fmt.Sprintf("%s: %q", err, short(n.Value)), durationHint(n.Value, err))
	}
	*v = value
	return true
}

// durationHint suggests what was meant by a broken length of time.
func durationHint(text string, err error) string {
	compact := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if errors.Is(err, errNoUnit) && len(text) < 8 {
		return fmt.Sprintf("did you mean %q?", text+"h")
	}
	for _, long := range []struct{ word, unit string }{
		{"milliseconds", "ms"},
		{"millisecond", "ms"},
		{"seconds", "s"},
		{"second", "s"},
		{"secs", "s"},
		{"sec", "s"},
		{"minutes", "m"},
		{"minute", "m"},
		{"mins", "m"},
		{"min", "m"},
		{"hours", "h"},
		{"hour", "h"},
		{"hrs", "h"},
		{"hr", "h"},
		{"days", "d"},
		{"day", "d"},
		{"weeks", "w"},
		{"week", "w"},
	} {
		compact = strings.ReplaceAll(compact, long.word, long.unit)
	}
	if _, err := ParseDuration(compact); err == nil {
		return fmt.Sprintf("did you mean %q?", compact)
	}
	if errors.Is(err, errNotDuration) {
		return "write for example 90s, 15m, 12h, 1h30m, 7d; the units are ms, s, m, h, d, w"
	}
	return ""
}

// textual fills a type that reads itself from text.
func (d *decoder) textual(n *yaml.Node, at place, v encoding.TextUnmarshaler) bool {
	value, ok := d.text(n, at)
	if !ok {
		return false
	}
	if err := v.UnmarshalText([]byte(value)); err != nil {
		return d.wrong(n, at, err.Error(), "")
	}
	return true
}
