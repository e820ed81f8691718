package awstest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
)

// element is one element of a request's body.
type element struct {
	XMLName  xml.Name
	Children []element `xml:",any"`
	Text     string    `xml:",chardata"`
}

// decodeXML reads a body by a structure's members. An element that the model does not know is an error.
func (m *Model) decodeXML(body []byte, r *Ref, path string) (map[string]any, error) {
	var e element
	if err := xml.Unmarshal(body, &e); err != nil {
		if errors.Is(err, io.EOF) {
			return map[string]any{}, nil
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.LocationName != "" && e.XMLName.Local != r.LocationName {
		return nil, fmt.Errorf("%s: the body is a %s, and the model says %s", path, e.XMLName.Local, r.LocationName)
	}
	v, err := m.fromXML(r, path, e)
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
}

func (m *Model) fromXML(r *Ref, path string, e element) (any, error) {
	s := m.shape(r)
	switch s.Type {
	case "structure":
		return m.structureFromXML(s, path, e)
	case "list":
		var out []any
		for n, c := range e.Children {
			if want := itemName(s); c.XMLName.Local != want {
				return nil, fmt.Errorf("%s: an item called %s, and the model says %s", path, c.XMLName.Local, want)
			}
			v, err := m.fromXML(s.Member, fmt.Sprintf("%s[%d]", path, n), c)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	if len(e.Children) > 0 {
		return nil, fmt.Errorf("%s: the model says %s, and elements were sent", path, s.Type)
	}
	return parseScalar(s, r, path, e.Text)
}

func (m *Model) structureFromXML(s *Shape, path string, e element) (any, error) {
	out := map[string]any{}
	for _, c := range e.Children {
		name, r := memberOf(s, c.XMLName.Local, func(r *Ref) bool { return r.Location == "" })
		if r == nil {
			return nil, fmt.Errorf("%s: the model has no %s", path, c.XMLName.Local)
		}
		inner := path + "." + name
		list := m.shape(r)
		if list.Type == "list" && (list.Flattened || r.Flattened) {
			v, err := m.fromXML(list.Member, inner, c)
			if err != nil {
				return nil, err
			}
			before, _ := out[name].([]any)
			out[name] = append(before, v)
			continue
		}
		v, err := m.fromXML(r, inner, c)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	for _, name := range s.Required {
		if _, ok := out[name]; !ok && s.Members[name].Location == "" {
			return nil, fmt.Errorf("%s: %s is required", path, name)
		}
	}
	return out, nil
}

// memberOf finds a member by its name on the wire.
func memberOf(s *Shape, wire string, fits func(*Ref) bool) (string, *Ref) {
	for name, r := range s.Members {
		if fits(r) && (r.LocationName == wire || r.LocationName == "" && name == wire) {
			return name, r
		}
	}
	return "", nil
}

func itemName(s *Shape) string {
	if s.Member.LocationName != "" {
		return s.Member.LocationName
	}
	return "member"
}

// xmlWriter writes an answer.
type xmlWriter struct {
	*Model
	bytes.Buffer
}

func (w *xmlWriter) text(name, text string) {
	fmt.Fprintf(w, "<%s>", name)
	_ = xml.EscapeText(w, []byte(text))
	fmt.Fprintf(w, "</%s>", name)
}

// members writes the members of a structure without the element around them. What the model does not know is an error.
func (w *xmlWriter) members(s *Shape, path string, v any) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: a %T where the model says structure", path, v)
	}
	if err := s.checkRequired(path, fields); err != nil {
		return err
	}
	for _, name := range sortedKeys(fields) {
		r := s.Members[name]
		if r == nil {
			return fmt.Errorf("%s: the model has no %s", path, name)
		}
		if r.Location != "" {
			continue
		}
		wire := name
		if r.LocationName != "" {
			wire = r.LocationName
		}
		if err := w.value(r, wire, path+"."+name, fields[name]); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) value(r *Ref, wire, path string, v any) error {
	s := w.shape(r)
	switch s.Type {
	case "structure":
		fmt.Fprintf(w, "<%s>", wire)
		err := w.members(s, path, v)
		fmt.Fprintf(w, "</%s>", wire)
		return err
	case "list":
		items, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s: a %T where the model says list", path, v)
		}
		item := itemName(s)
		if flat := s.Flattened || r.Flattened; flat {
			item = wire
		} else {
			fmt.Fprintf(w, "<%s>", wire)
			defer func() { fmt.Fprintf(w, "</%s>", wire) }()
		}
		for n, x := range items {
			if err := w.value(s.Member, item, fmt.Sprintf("%s[%d]", path, n), x); err != nil {
				return err
			}
		}
		return nil
	case "map":
		return fmt.Errorf("%s: maps are not written as XML here", path)
	}
	text, err := scalarText(s, r, path, v)
	if err != nil {
		return err
	}
	w.text(wire, text)
	return nil
}

func sortedKeys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
