package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// route finds the operation of a REST request, and the values in its path.
func (m *Model) route(r *http.Request) (*Operation, map[string]string) {
	for _, op := range m.Operations {
		if op.HTTP.Method != r.Method {
			continue
		}
		path, query, _ := strings.Cut(op.HTTP.URI, "?")
		want, err := url.ParseQuery(query)
		if err != nil || !covers(r.URL.Query(), want) {
			continue
		}
		if values, ok := matchPath(path, r.URL.EscapedPath()); ok {
			return op, values
		}
	}
	return nil, nil
}

func covers(have, want url.Values) bool {
	for k := range want {
		if !have.Has(k) {
			return false
		}
	}
	return true
}

func matchPath(pattern, path string) (map[string]string, bool) {
	want, have := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(want) != len(have) {
		return nil, false
	}
	values := map[string]string{}
	for n, w := range want {
		name, isValue := strings.CutPrefix(w, "{")
		if !isValue {
			if w != have[n] {
				return nil, false
			}
			continue
		}
		v, err := url.PathUnescape(have[n])
		if err != nil || v == "" {
			return nil, false
		}
		values[strings.TrimSuffix(name, "}")] = v
	}
	return values, true
}

// decodeREST reads path, query and body of a REST request.
func (m *Model) decodeREST(op *Operation, r *http.Request, body []byte, inPath map[string]string) (map[string]any, error) {
	in := map[string]any{}
	if op.Input == nil {
		return in, nil
	}
	s := m.shape(op.Input)
	if err := m.decodeBody(op, s, body, in); err != nil {
		return nil, err
	}
	for wire, text := range inPath {
		if err := m.put(in, s, op.Name, "uri", wire, text); err != nil {
			return nil, err
		}
	}
	for wire, texts := range r.URL.Query() {
		if err := m.put(in, s, op.Name, "querystring", wire, texts[0]); err != nil {
			return nil, err
		}
	}
	return in, s.checkRequired(op.Name, in)
}

// decodeBody reads what is in the body. An operation whose model has nothing there must send nothing.
func (m *Model) decodeBody(op *Operation, s *Shape, body []byte, in map[string]any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if s.Payload != "" {
		return fmt.Errorf("%s: payload members are not read here", op.Name)
	}
	var fields map[string]any
	var err error
	if m.Metadata.Protocol == "rest-json" {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var raw any
		if err = d.Decode(&raw); err == nil {
			fields, err = m.objectFromJSON(s, op.Name, raw)
		}
	} else {
		fields, err = m.decodeXML(body, op.Input, op.Name)
	}
	for k, v := range fields {
		in[k] = v
	}
	return err
}

func (m *Model) put(in map[string]any, s *Shape, path, location, wire, text string) error {
	name, r := memberOf(s, wire, func(r *Ref) bool { return r.Location == location })
	if r == nil {
		return fmt.Errorf("%s: the model has no %s in the %s", path, wire, location)
	}
	v, err := parseScalar(m.shape(r), r, path+"."+name, text)
	in[name] = v
	return err
}

func (m *Model) objectFromJSON(s *Shape, path string, raw any) (map[string]any, error) {
	fields, ok := raw.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: a %T where the model says structure", path, raw)
	}
	out := map[string]any{}
	for wire, x := range fields {
		name, r := memberOf(s, wire, func(r *Ref) bool { return r.Location == "" })
		if r == nil {
			return nil, fmt.Errorf("%s: the model has no %s", path, wire)
		}
		v, err := m.fromJSON(r, path+"."+name, x)
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

func (m *Model) fromJSON(r *Ref, path string, raw any) (any, error) {
	s := m.shape(r)
	switch x := raw.(type) {
	case map[string]any:
		switch s.Type {
		case "structure":
			return m.objectFromJSON(s, path, raw)
		case "map":
			out := map[string]any{}
			for k, v := range x {
				var err error
				if out[k], err = m.fromJSON(s.Value, path+"."+k, v); err != nil {
					return nil, err
				}
			}
			return out, nil
		}
	case []any:
		if s.Type == "list" {
			var out []any
			for n, v := range x {
				item, err := m.fromJSON(s.Member, fmt.Sprintf("%s[%d]", path, n), v)
				if err != nil {
					return nil, err
				}
				out = append(out, item)
			}
			return out, nil
		}
	case string:
		if s.Type == "string" {
			return x, s.checkEnum(path, x)
		}
	case bool:
		if s.Type == "boolean" {
			return x, nil
		}
	case json.Number:
		if s.Type == "timestamp" {
			r = &Ref{TimestampFormat: "unixTimestamp"}
		}
		if s.Type != "string" && s.Type != "boolean" && s.Type != "structure" {
			return parseScalar(s, r, path, x.String())
		}
	}
	return nil, fmt.Errorf("%s: a %T where the model says %s", path, raw, s.Type)
}

// toJSON makes a value ready for encoding/json, and refuses what the model does not know.
func (m *Model) toJSON(r *Ref, path string, v any) (any, error) {
	s := m.shape(r)
	switch s.Type {
	case "structure":
		return m.objectToJSON(s, path, v)
	case "list":
		items, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%s: a %T where the model says list", path, v)
		}
		out := []any{}
		for n, x := range items {
			item, err := m.toJSON(s.Member, fmt.Sprintf("%s[%d]", path, n), x)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		return out, nil
	case "map":
		fields, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s: a %T where the model says map", path, v)
		}
		out := map[string]any{}
		for k, x := range fields {
			var err error
			if out[k], err = m.toJSON(s.Value, path+"."+k, x); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if _, err := scalarText(s, r, path, v); err != nil {
		return nil, err
	}
	if t, ok := v.(time.Time); ok {
		return math.Round(float64(t.UnixMicro())/1e3) / 1e3, nil
	}
	return v, nil
}

func (m *Model) objectToJSON(s *Shape, path string, v any) (map[string]any, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: a %T where the model says structure", path, v)
	}
	if err := s.checkRequired(path, fields); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for name, x := range fields {
		r := s.Members[name]
		if r == nil {
			return nil, fmt.Errorf("%s: the model has no %s", path, name)
		}
		wire := name
		if r.LocationName != "" {
			wire = r.LocationName
		}
		var err error
		if out[wire], err = m.toJSON(r, path+"."+name, x); err != nil {
			return nil, err
		}
	}
	return out, nil
}
