package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document reads a file and returns the one mapping that it holds. False means that a mistake was noted.
func (l *loader) document(fsys fs.FS, name, at string) (*yaml.Node, bool) {
	data, ok := l.read(fsys, name)
	if !ok {
		return nil, false
	}
	top := Pos{File: name, Line: 1, Col: 1}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if err == io.EOF || err == nil && len(doc.Content) == 0 {
		l.note(top, "", "the file is empty", "")
		return nil, false
	}
	if err != nil {
		l.syntax(name, data, err)
		return nil, false
	}
	if err := decoder.Decode(&second); err == nil {
		l.note(nodePos(name, &second), "", "a file holds one YAML document; this is a second one", `remove the "---" before it`)
		return nil, false
	} else if err != io.EOF {
		l.syntax(name, data, err)
		return nil, false
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		l.note(top, "", "the file is empty", "")
		return nil, false
	}
	if _, ok := l.measure(name, root, 0, map[*yaml.Node]int{}); !ok {
		return nil, false
	}
	return root, true
}

// nodePos is where a node is written.
func nodePos(file string, n *yaml.Node) Pos { return Pos{File: file, Line: n.Line, Col: n.Column} }

// syntax notes a text that is no YAML.
func (l *loader) syntax(name string, data []byte, err error) {
	pos := Pos{File: name, Line: 1, Col: 1}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	if errors.As(err, &many) && len(many.Errors) > 0 {
		one = many.Errors[0]
	}
	if one != nil || errors.As(err, &one) {
		message = one.Message
		pos.Line, pos.Col = one.Mark.Line, one.Mark.Column
	}
	lines := bytes.Split(data, []byte("\n"))
	for _, line := range []int{pos.Line, pos.Line - 1} {
		if line < 1 || line > len(lines) {
			continue
		}
		indent := lines[line-1][:len(lines[line-1])-len(bytes.TrimLeft(lines[line-1], " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 {
			l.note(Pos{File: name, Line: line, Col: i + 1}, "", "a tab in the indentation; YAML wants spaces", "replace it by two spaces")
			return
		}
	}
	l.note(pos, "", "not YAML: "+message, syntaxHint(message))
}

// syntaxHint says what the usual reason of a syntax error is.
func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		return `check the indentation, and put quotes around a text that holds ": "`
	case strings.Contains(message, "cannot start any token"):
		return "put quotes around a text that begins with this character"
	case strings.Contains(message, "unexpected end of stream"):
		return "close the quote"
	case strings.Contains(message, "expected ',' or"):
		return "close the bracket"
	case strings.Contains(message, "did not find expected key"):
		return "check the indentation and the quotes"
	}
	return ""
}

// measure counts the values of a tree, with the values behind each alias, and refuses a tree that is too large, too deep or
// holds itself. It takes time in proportion to the file, not to what the aliases make of it.
func (l *loader) measure(file string, n *yaml.Node, depth int, known map[*yaml.Node]int) (int, bool) {
	const open = -1
	if depth > deepestNode {
		l.note(nodePos(file, n), "", fmt.Sprintf("the values are nested more than %d deep", deepestNode), "")
		return 0, false
	}
	if n.Kind == yaml.AliasNode {
		switch count, ok := known[n.Alias]; {
		case ok && count == open:
			l.note(nodePos(file, n), "", fmt.Sprintf("the alias *%s holds itself", n.Value), "")
			return 0, false
		case ok:
			return count, true
		}
		return l.measure(file, n.Alias, depth+1, known)
	}
	known[n] = open
	sum := 1
	for _, child := range n.Content {
		count, ok := l.measure(file, child, depth+1, known)
		if !ok {
			return 0, false
		}
		if sum += count; sum > mostNodes {
			l.note(nodePos(file, child), "", fmt.Sprintf("the file stands for more than %d values", mostNodes), "use fewer aliases")
			return 0, false
		}
	}
	known[n] = sum
	return sum, true
}
