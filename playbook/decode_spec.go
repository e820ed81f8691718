package playbook

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

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
	if entries, ok = d.where(entries, at, v); !ok {
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

// where takes the place of a fault out of its keys.
func (d *decoder) where(entries []pair, at place, v *Spec) ([]pair, bool) {
	if at.family != "fault" {
		return entries, true
	}
	for n, e := range entries {
		if e.key.Value == whereKey {
			var ok bool
			v.Where, ok = d.text(e.value, at.key(whereKey))
			return slices.Delete(slices.Clone(entries), n, n+1), ok
		}
	}
	return entries, true
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
