package fault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// StrictJSON reads exactly one value and refuses unknown fields, also below a type that reads its own JSON.
func StrictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return PlainJSON(err)
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

// PlainJSON says in plain words, by dotted key, what is wrong with a value: not which type of ours it did not fit.
func PlainJSON(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		want := "something else"
		switch kind.Type.Kind() {
		case reflect.String:
			want = "a text"
		case reflect.Bool:
			want = "true or false"
		case reflect.Uint16:
			want = "a whole number from 0 to 65535"
		case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint, reflect.Uint64, reflect.Uint32:
			want = "a whole number"
		case reflect.Float64:
			want = "a number"
		case reflect.Slice:
			want = "a list"
		case reflect.Map, reflect.Struct:
			want = "an object"
		}
		at := ""
		for key := range strings.SplitSeq(kind.Field, ".") { // an embedded struct has a name only in our code
			if key != "" && !('A' <= key[0] && key[0] <= 'Z') {
				at = strings.TrimPrefix(at+"."+key, ".")
			}
		}
		if at != "" {
			at += ": "
		}
		return fmt.Errorf("%smust be %s, not %s", at, want, called(kind.Value))
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: "); ok {
		return errors.New(text)
	}
	return err
}

// called is what a person calls a JSON value: the package json says "string" or "number 70000".
func called(value string) string {
	switch value {
	case "string":
		return "a text"
	case "number":
		return "a number"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	return strings.TrimPrefix(value, "number ")
}
