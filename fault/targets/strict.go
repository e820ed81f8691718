package targets

import (
	"bytes"
	"encoding/json"
)

// strictJSON refuses unknown fields, also below a type that reads its own JSON.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// shortJSON reads a string or a list of strings by short, and anything else into the config, strictly.
func shortJSON(b []byte, short func([]string, bool) error, plain any) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		return short([]string{one}, false)
	}
	var many []string
	if json.Unmarshal(b, &many) == nil && many != nil {
		return short(many, true)
	}
	return strictJSON(b, plain)
}
