package probe

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Path is a place in a JSON document, a small part of JSONPath: $.a.b[0].c, and $['any key'] for keys that are not
// plain words. $ is the whole document.
type Path struct {
	text  string
	steps []step
}

// step goes into an object by key, or into a list by index.
type step struct {
	key   string
	index int // -1 for a key
}

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return Path{}, fmt.Errorf("parse path %q: it must begin with $", text)
	}
	for rest != "" {
		s, left, err := parseStep(rest)
		if err != nil {
			return Path{}, fmt.Errorf("parse path %q: %w at %q", text, err, rest)
		}
		p.steps, rest = append(p.steps, s), left
	}
	return p, nil
}

func parseStep(rest string) (step, string, error) {
	if after, ok := strings.CutPrefix(rest, "."); ok {
		n := strings.IndexAny(after, ".[")
		if n < 0 {
			n = len(after)
		}
		if n == 0 || strings.ContainsAny(after[:n], "]'\"*$ ") {
			return step{}, "", fmt.Errorf("expected a name")
		}
		return step{key: after[:n], index: -1}, after[n:], nil
	}
	after, ok := strings.CutPrefix(rest, "[")
	if !ok || after == "" {
		return step{}, "", fmt.Errorf("expected . or [")
	}
	if quote := after[:1]; quote == "'" || quote == `"` {
		key, left, ok := strings.Cut(after[1:], quote+"]")
		if !ok {
			return step{}, "", fmt.Errorf("expected %s]", quote)
		}
		return step{key: key, index: -1}, left, nil
	}
	digits, left, ok := strings.Cut(after, "]")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return step{}, "", fmt.Errorf("expected an index such as [0]")
	}
	return step{index: int(n)}, left, nil
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Find returns what is at the path in a document that encoding/json decoded, and whether there is anything.
func (p Path) Find(doc any) (any, bool) {
	for _, s := range p.steps {
		switch node := doc.(type) {
		case map[string]any:
			value, ok := node[s.key]
			if s.index >= 0 || !ok {
				return nil, false
			}
			doc = value
		case []any:
			if s.index < 0 || s.index >= len(node) {
				return nil, false
			}
			doc = node[s.index]
		default:
			return nil, false
		}
	}
	return doc, true
}

// Text writes a JSON value the way a playbook compares it: strings as they are, everything else as JSON.
func Text(value any) string {
	if s, ok := value.(string); ok {
		return s
	}
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(b)
}
