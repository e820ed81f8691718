package bookstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody bounds a request's body.
const maxBody = 1 << 20

// input is what a client sent, by field.
type input map[string]json.RawMessage

// readInput reads a JSON object or a form. An empty body is an empty object.
func readInput(r *http.Request) (input, error) {
	content := r.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(content)
	if content == "" {
		kind, err = "application/json", nil
	}
	body, readErr := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if readErr != nil || len(body) > maxBody {
		return nil, refusal{detail(http.StatusRequestEntityTooLarge, "Request body is too large.")}
	}
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return input{}, nil
	case err == nil && kind == "application/json":
		return readJSON(body)
	case err == nil && kind == "application/x-www-form-urlencoded":
		return readForm(body)
	default:
		return nil, refusal{detail(http.StatusUnsupportedMediaType, fmt.Sprintf("Unsupported media type \"%s\" in request.", content))}
	}
}

func readJSON(body []byte) (input, error) {
	var v any
	if err := json.Unmarshal(body, &v); err != nil || !utf8.Valid(body) {
		reason := "not valid UTF-8"
		if err != nil {
			reason = err.Error()
		}
		return nil, refusal{detail(http.StatusBadRequest, "JSON parse error - "+reason)}
	}
	if _, ok := v.(map[string]any); !ok {
		p := problems{}
		p.add("non_field_errors", fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", typeName(v)))
		return nil, p.err()
	}
	var in input
	return in, json.Unmarshal(body, &in)
}

// typeName names a JSON value as the original's framework does.
func typeName(v any) string {
	switch v.(type) {
	case []any:
		return "list"
	case string:
		return "str"
	case bool:
		return "bool"
	case float64:
		return "float"
	default:
		return "NoneType"
	}
}

func readForm(body []byte) (input, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refusal{detail(http.StatusBadRequest, "Malformed form.")}
	}
	in := input{}
	for name := range values {
		text, err := json.Marshal(values.Get(name))
		if err != nil {
			return nil, err
		}
		in[name] = text
	}
	return in, nil
}

// problems are what is wrong with an input, by field, in order.
type problems struct {
	fields   []string
	messages []string
}

func (p *problems) add(field, message string) {
	p.fields = append(p.fields, field)
	p.messages = append(p.messages, message)
}

// MarshalJSON writes {"field": ["message"]}.
func (p problems) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, field := range p.fields {
		fmt.Fprintf(&b, ",%s:[%s]", strconv.Quote(field), strconv.Quote(p.messages[i]))
	}
	return append(append([]byte{'{'}, bytes.TrimPrefix(b.Bytes(), []byte{','})...), '}'), nil
}

// err is nil when nothing is wrong.
func (p problems) err() error {
	if len(p.fields) == 0 {
		return nil
	}
	return refusal{reply{status: http.StatusBadRequest, body: p}}
}

// text is a field of at most max characters.
type text struct {
	max      int
	required bool // and then not blank
}

// read returns the value, or old when the field is not there and need not be.
func (t text) read(p *problems, in input, name string, old *string, partial bool) *string {
	raw, ok := in[name]
	if !ok {
		if t.required && !partial {
			p.add(name, "This field is required.")
		}
		return old
	}
	if string(raw) == "null" {
		p.add(name, "This field may not be null.")
		return old
	}
	var s string
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &s); err != nil {
			p.add(name, "Not a valid string.")
			return old
		}
	} else if raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9') {
		s = string(raw) // a number is taken as it is written
	} else {
		p.add(name, "Not a valid string.")
		return old
	}
	s = strings.TrimSpace(s)
	switch {
	case s == "" && t.required:
		p.add(name, "This field may not be blank.")
	case strings.ContainsRune(s, 0):
		p.add(name, "Null characters are not allowed.")
	case utf8.RuneCountInString(s) > t.max:
		p.add(name, fmt.Sprintf("Ensure this field has no more than %d characters.", t.max))
	default:
		return &s
	}
	return old
}

// readDate returns the day in the form YYYY-MM-DD, or old when the field is not there.
func readDate(p *problems, in input, name string, old *string) *string {
	raw, ok := in[name]
	if !ok {
		return old
	}
	if string(raw) == "null" {
		p.add(name, "This field may not be null.")
		return old
	}
	var s string
	err := json.Unmarshal(raw, &s)
	day, parseErr := time.Parse(time.DateOnly, s)
	if err != nil || parseErr != nil || day.Year() < 1 {
		p.add(name, "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")
		return old
	}
	return &s
}
