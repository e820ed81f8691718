package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// StrictJSON reads exactly one value and refuses unknown fields, also below a type that reads its own JSON.
func StrictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errMoreJSON
	}
	return nil
}

// ShortJSON reads a string or a list of strings by short, and anything else into the config, strictly.
func ShortJSON(b []byte, short func([]string, bool) error, plain any) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		return short([]string{one}, false)
	}
	var many []string
	if json.Unmarshal(b, &many) == nil && many != nil {
		return short(many, true)
	}
	return StrictJSON(b, plain)
}
