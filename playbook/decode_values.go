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

	"github.com/belay-dr/belay/internal/calendar"
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
		{"milliseconds", "ms"}, {"millisecond", "ms"}, {"seconds", "s"}, {"second", "s"}, {"secs", "s"}, {"sec", "s"},
		{"minutes", "m"}, {"minute", "m"}, {"mins", "m"}, {"min", "m"}, {"hours", "h"}, {"hour", "h"}, {"hrs", "h"}, {"hr", "h"},
		{"days", "d"}, {"day", "d"}, {"weeks", "w"}, {"week", "w"},
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

// hours reads a weekly calendar.
func (d *decoder) hours(n *yaml.Node, at place, v *Hours) bool {
	value, ok := d.text(n, at)
	if !ok {
		return false
	}
	parsed, err := calendar.Parse(value)
	if err != nil {
		message, hint := hoursMistake(value, err)
		return d.wrong(n, at, message, hint)
	}
	*v = parsed
	return true
}

// hoursMistake splits a mistake in hours into what is wrong and what to write instead.
func hoursMistake(value string, err error) (message, hint string) {
	message, hint, _ = strings.Cut(err.Error(), "; ")
	if words := strings.Fields(value); len(words) > 0 && strings.Contains(message, "time zone") {
		if zone := nearest(words[len(words)-1], commonZones()); zone != "" {
			hint = fmt.Sprintf("did you mean %q?", zone)
		} else {
			hint = "write an IANA name such as Europe/Berlin"
		}
	}
	return message, hint
}

// commonZones are the time zones that are suggested for a misspelled one.
func commonZones() []string {
	return strings.Fields(`UTC Africa/Cairo Africa/Johannesburg Africa/Lagos Africa/Nairobi America/Anchorage America/Argentina/Buenos_Aires
		America/Bogota America/Chicago America/Denver America/Halifax America/Los_Angeles America/Mexico_City America/New_York America/Phoenix
		America/Sao_Paulo America/Toronto America/Vancouver Asia/Bangkok Asia/Dubai Asia/Hong_Kong Asia/Jakarta Asia/Karachi Asia/Kolkata
		Asia/Manila Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Taipei Asia/Tokyo Australia/Brisbane Australia/Melbourne Australia/Perth
		Australia/Sydney Europe/Amsterdam Europe/Berlin Europe/Dublin Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid
		Europe/Moscow Europe/Paris Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich Pacific/Auckland Pacific/Honolulu`)
}

// period is the long form of a criticality.
type period struct {
	Period string `yaml:"period"`
	Days   string `yaml:"days,omitempty"`
	Zone   string `yaml:"zone,omitempty"`
}

// criticality reads always, never, unknown or a period.
func (d *decoder) criticality(n *yaml.Node, at place, v *Criticality) bool {
	if n.Kind != yaml.MappingNode {
		value, ok := d.text(n, at)
		if !ok {
			return false
		}
		words := texts(Always, Never, Unknown)
		for _, w := range words {
			if w == value {
				v.Level = CriticalityLevel(w)
				return true
			}
		}
		hint := nearest(value, words)
		if hint == "" {
			return d.wrong(n, at, fmt.Sprintf("unknown criticality %q", short(value)), "always, never, unknown, or {period: \"02:00-03:00\", days: daily, zone: Europe/Berlin}")
		}
		return d.wrong(n, at, fmt.Sprintf("unknown criticality %q", short(value)), fmt.Sprintf("did you mean %q?", hint))
	}
	var p period
	if !d.decode(n, at, fieldOf(&p)) {
		return false
	}
	if p.Days == "" {
		p.Days = "daily"
	}
	for _, probe := range []struct{ key, text string }{
		{"zone", "daily 00:00-01:00 " + p.Zone},
		{"days", p.Days + " 00:00-01:00"},
		{"period", "daily " + p.Period},
	} {
		if _, err := calendar.Parse(strings.TrimSpace(probe.text)); err != nil {
			message, hint := hoursMistake(probe.text, err)
			d.fail(d.positions[join(at.path, probe.key)], join(at.path, probe.key), message, hint)
			return false
		}
	}
	parsed, err := calendar.Parse(strings.TrimSpace(p.Days + " " + p.Period + " " + p.Zone))
	if err != nil {
		return d.wrong(n, at, err.Error(), "")
	}
	v.Level, v.Period = During, &parsed
	return true
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

// shorthand hands a scalar or a list of scalars to a type that knows a short form.
func (d *decoder) shorthand(n *yaml.Node, at place, v Shorthand) bool {
	if !d.bounded(n, at, len(n.Content)) {
		return false
	}
	var values []string
	list := n.Kind == yaml.SequenceNode
	items := []*yaml.Node{n}
	if list {
		items = n.Content
	}
	ok := true
	for i, item := range items {
		inside := at
		if list {
			inside = at.item(i)
			d.positions[inside.path] = nodePos(d.file, item)
		}
		for item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.ShortTag() == "!!null" {
			ok = d.wrong(item, inside, "has no value", "")
			continue
		}
		value, fine := d.text(item, inside)
		values, ok = append(values, value), ok && fine
	}
	if !ok {
		return false
	}
	if err := v.Short(values, list); err != nil {
		return d.wrong(n, at, err.Error(), "")
	}
	return true
}

// spec reads something whose kind another room knows: a mapping with the kind as its one key.
func (d *decoder) spec(n *yaml.Node, at place, v *Spec) bool {
	kinds := d.kinds[at.family]
	names := sortedKeys(kinds)
	entries, ok := d.pairs(n, at, fmt.Sprintf("a %s such as {%s: ...}", at.family, firstOr(names, "kind")))
	if !ok {
		return false
	}
	if len(entries) != 1 {
		var given []string
		for _, e := range entries {
			given = append(given, shown(e.key.Value))
		}
		return d.wrong(n, at, fmt.Sprintf("a %s has exactly one kind, got %s", at.family, listed(given)), "")
	}
	kind, config := entries[0].key, entries[0].value
	inside := at.key(shown(kind.Value))
	inside.free = true
	if kinds[kind.Value] == nil {
		return d.wrong(kind, at, fmt.Sprintf("unknown %s %q", at.family, shown(kind.Value)), didYouMean(kind.Value, names))
	}
	v.Kind, v.Config = kind.Value, kinds[kind.Value]()
	if !d.decode(config, inside, fieldOf(v.Config)) {
		return false
	}
	for _, problem := range problemsOf(v.Config) {
		path := inside.path
		if problem.Key != "" {
			path = join(path, problem.Key)
		}
		d.fail(d.nearestPos(path), path, problem.Message, problem.Hint)
		ok = false
	}
	return ok
}

// nearestPos is the place of a path, or of the nearest thing around it.
func (l *loader) nearestPos(path string) Pos {
	return (&Playbook{positions: l.positions}).Position(path)
}

// anything reads a value of no fixed type.
func (d *decoder) anything(n *yaml.Node, at place) (any, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		return out, d.dictionary(n, at, reflect.ValueOf(&out).Elem())
	case yaml.SequenceNode:
		out := []any{}
		return out, d.list(n, at, reflect.ValueOf(&out).Elem())
	}
	switch n.ShortTag() {
	case "!!bool":
		var out bool
		return out, d.scalar(n, at, reflect.ValueOf(&out).Elem())
	case "!!int":
		if value, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return value, true
		}
	case "!!float":
		if value, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return value, true
		}
	}
	return d.text(n, at)
}
