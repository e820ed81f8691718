package start

import (
	"iter"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// resolve follows an alias. A nil node stays nil.
func resolve(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// get is the value of a key in a mapping, also of one that is merged into it; nil when it is not there.
func get(n *yaml.Node, key string) *yaml.Node { return getWithin(n, key, 10) }

func getWithin(n *yaml.Node, key string, depth int) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode || depth == 0 {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "<<" {
			continue
		}
		if v := getWithin(n.Content[i+1], key, depth-1); v != nil {
			return v
		}
		for _, merged := range sequence(n.Content[i+1]) {
			if v := getWithin(merged, key, depth-1); v != nil {
				return v
			}
		}
	}
	return nil
}

// pairs are the keys and values of a mapping, in order, without extensions (x-...) and merges.
func pairs(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if key == "<<" || strings.HasPrefix(key, "x-") {
				continue
			}
			if !yield(key, resolve(n.Content[i+1])) {
				return
			}
		}
	}
}

// sequence are the items of a list; none for anything else.
func sequence(n *yaml.Node) []*yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// text is a scalar with its variables replaced; empty for anything else.
func (c *composeFile) text(n *yaml.Node) string {
	n = resolve(n)
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	if len(n.Value) > longestText {
		c.note("line %d: a text of more than %d bytes is left out", n.Line, longestText)
		return ""
	}
	return c.interpolate(n.Value)
}

// longestText keeps variables inside variables from growing without bounds.
const longestText = 4096

// interpolate replaces $VAR, ${VAR}, ${VAR:-default}, ${VAR-default}, ${VAR:+other}, ${VAR+other}, ${VAR:?message} and ${VAR?message};
// $$ is a dollar sign. A variable without a value is empty, and noted.
func (c *composeFile) interpolate(s string) string {
	var b strings.Builder
	for s != "" {
		before, after, ok := strings.Cut(s, "$")
		b.WriteString(before)
		switch {
		case !ok:
			return b.String()
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "{"):
			inner, rest, closed := cutBrace(after[1:])
			if !closed {
				b.WriteString("$" + after)
				return b.String()
			}
			b.WriteString(c.variable(inner))
			s = rest
		default:
			n := nameLength(after)
			if n == 0 {
				b.WriteByte('$')
			} else {
				b.WriteString(c.variable(after[:n]))
			}
			s = after[n:]
		}
	}
	return b.String()
}

// cutBrace cuts at the brace that closes, passing over those of variables inside a default.
func cutBrace(s string) (inner, rest string, ok bool) {
	depth := 1
	for i := range len(s) {
		switch {
		case s[i] == '{' && i > 0 && s[i-1] == '$':
			depth++
		case s[i] == '}':
			if depth--; depth == 0 {
				return s[:i], s[i+1:], true
			}
		}
	}
	return "", "", false
}

func nameLength(s string) int {
	for i := range len(s) {
		ch := s[i]
		letter := ch == '_' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z'
		if !letter && (i == 0 || ch < '0' || ch > '9') {
			return i
		}
	}
	return len(s)
}

// variable is the value of what stands between the braces.
func (c *composeFile) variable(inner string) string {
	n := nameLength(inner)
	name, op := inner[:n], inner[n:]
	value, set := c.lookup(name)
	emptyToo := strings.HasPrefix(op, ":")
	op = strings.TrimPrefix(op, ":")
	has := set && (value != "" || !emptyToo)
	switch {
	case name == "":
		c.note("${%s} is no variable", inner)
		return ""
	case strings.HasPrefix(op, "-") && !has:
		return c.interpolate(op[1:])
	case strings.HasPrefix(op, "+"):
		if has {
			return c.interpolate(op[1:])
		}
		return ""
	case !set:
		c.note("the variable %s is not set, it is taken as empty", name)
	}
	return value
}

// published is a port that can be reached from this machine.
type published struct{ at, inside string }

// port reads the forms "80", "8080:80", "127.0.0.1:8080:80", "8080:80/tcp", ranges (their first port), and the long form.
func (c *composeFile) port(service string, n *yaml.Node) (published, bool) {
	n = resolve(n)
	host, outside, inside, protocol := "", "", "", "tcp"
	if n != nil && n.Kind == yaml.MappingNode {
		host, outside, inside = c.text(get(n, "host_ip")), c.text(get(n, "published")), c.text(get(n, "target"))
		if p := c.text(get(n, "protocol")); p != "" {
			protocol = p
		}
	} else {
		text := c.text(n)
		text, p, ok := strings.Cut(text, "/")
		if ok {
			protocol = p
		}
		i := strings.LastIndex(text, ":")
		outside, inside = text[:max(i, 0)], text[i+1:]
		if i := strings.LastIndex(outside, ":"); i >= 0 {
			host, outside = strings.Trim(outside[:i], "[]"), outside[i+1:]
		}
	}
	outside, _, _ = strings.Cut(outside, "-")
	inside, _, _ = strings.Cut(inside, "-")
	switch {
	case protocol != "tcp":
		c.note("%s: the port %s/%s is not TCP and is not probed", service, inside, protocol)
		return published{}, false
	case outside == "" || outside == "0":
		c.note("%s: the port %s gets another number on each start; publish it under a fixed one to probe it", service, inside)
		return published{}, false
	case !isPort(outside) || !isPort(inside):
		c.note("%s: the port %q is not understood", service, c.text(n))
		return published{}, false
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return published{at: host + ":" + outside, inside: inside}, true
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
