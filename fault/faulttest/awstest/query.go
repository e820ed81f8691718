package awstest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// decodeForm reads the form of the protocols query and ec2. Every key of the form must belong to a member of the model.
func (m *Model) decodeForm(op *Operation, form url.Values) (map[string]any, error) {
	d := formReader{Model: m, form: form, used: map[string]bool{"Action": true, "Version": true}}
	if got := form.Get("Version"); got != m.Metadata.APIVersion {
		return nil, fmt.Errorf("version %q, and the model is %s", got, m.Metadata.APIVersion)
	}
	in := map[string]any{}
	if op.Input != nil {
		v, _, err := d.read(op.Input, op.Name, "")
		if err != nil {
			return nil, err
		}
		in, _ = v.(map[string]any)
	}
	for key := range form {
		if !d.used[key] {
			return nil, fmt.Errorf("%s: the model has no parameter %q", op.Name, key)
		}
	}
	return in, nil
}

type formReader struct {
	*Model
	form url.Values
	used map[string]bool
}

// name is the name of a member in a form.
func (d formReader) name(member string, r *Ref) string {
	if d.Metadata.Protocol == "ec2" {
		switch {
		case r.QueryName != "":
			return r.QueryName
		case r.LocationName != "":
			return strings.ToUpper(r.LocationName[:1]) + r.LocationName[1:]
		}
		return strings.ToUpper(member[:1]) + member[1:]
	}
	if s := d.shape(r); s.Type == "list" && s.Flattened && s.Member.LocationName != "" {
		return s.Member.LocationName
	}
	if r.LocationName != "" {
		return r.LocationName
	}
	return member
}

// read returns the value below a prefix, and whether there is one.
func (d formReader) read(r *Ref, path, prefix string) (any, bool, error) {
	s := d.shape(r)
	switch s.Type {
	case "structure":
		return d.structure(s, path, prefix)
	case "list":
		return d.list(s, path, prefix)
	case "map":
		return nil, false, fmt.Errorf("%s: maps are not read from forms here", path)
	}
	text, ok := d.form[prefix]
	if !ok {
		return nil, false, nil
	}
	d.used[prefix] = true
	v, err := parseScalar(s, r, path, text[0])
	return v, true, err
}

func (d formReader) structure(s *Shape, path, prefix string) (any, bool, error) {
	out := map[string]any{}
	for name, r := range s.Members {
		key := d.name(name, r)
		if prefix != "" {
			key = prefix + "." + key
		}
		v, ok, err := d.read(r, path+"."+name, key)
		if err != nil {
			return nil, false, err
		}
		if ok {
			out[name] = v
		}
	}
	if len(out) == 0 && prefix != "" {
		return nil, false, nil
	}
	return out, true, s.checkRequired(path, out)
}

func (d formReader) list(s *Shape, path, prefix string) (any, bool, error) {
	if d.Metadata.Protocol != "ec2" && !s.Flattened {
		item := s.Member.LocationName
		if item == "" {
			item = "member"
		}
		prefix += "." + item
	}
	var out []any
	for _, n := range d.indexes(prefix) {
		v, ok, err := d.read(s.Member, fmt.Sprintf("%s[%d]", path, n), fmt.Sprintf("%s.%d", prefix, n))
		if err != nil {
			return nil, false, err
		}
		if ok {
			out = append(out, v)
		}
	}
	return out, out != nil, nil
}

// indexes are the numbers that follow a prefix, in order.
func (d formReader) indexes(prefix string) []int {
	var out []int
	for key := range d.form {
		rest, ok := strings.CutPrefix(key, prefix+".")
		if !ok {
			continue
		}
		first, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(first); err == nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
