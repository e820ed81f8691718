package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Statuses is a list of HTTP status codes. In YAML and JSON one code may stand alone.
type Statuses []int

// Short takes one code or a list of them.
func (s *Statuses) Short(values []string, _ bool) error {
	codes := make(Statuses, 0, len(values))
	for _, v := range values {
		code, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%q is not a status: give a code such as 200, or a list of codes", v)
		}
		codes = append(codes, code)
	}
	*s = codes
	return nil
}

// UnmarshalYAML reads one code or a list.
func (s *Statuses) UnmarshalYAML(decode func(any) error) error {
	var one int
	if decode(&one) == nil {
		*s = Statuses{one}
		return nil
	}
	return decode((*[]int)(s))
}

// UnmarshalJSON reads one code or a list.
func (s *Statuses) UnmarshalJSON(b []byte) error {
	var one int
	if json.Unmarshal(b, &one) == nil && !bytes.Equal(b, []byte("null")) {
		*s = Statuses{one}
		return nil
	}
	return json.Unmarshal(b, (*[]int)(s))
}

// allow says whether a status is good; without a list, any from 200 to 299 is.
func (s Statuses) allow(status int) bool {
	if len(s) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(s, status)
}

// String lists the codes.
func (s Statuses) String() string {
	if len(s) == 0 {
		return "200 to 299"
	}
	words := make([]string, len(s))
	for i, code := range s {
		words[i] = strconv.Itoa(code)
	}
	return strings.Join(words, " or ")
}

// Values maps JSON paths to what must be there. Both sides are compared as text (see Text), so that 7 and "7" are the same.
type Values map[string]any
