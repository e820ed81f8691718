package fault_test

import (
	"testing"

	"github.com/belay-dr/belay/fault"
)

// What does not fit is said in the words of the config, never of our types.
func TestStrictJSONInPlainWords(t *testing.T) {
	type Embedded struct {
		Ports []uint16 `json:"ports"`
	}
	type config struct {
		Embedded
		Name   string         `json:"name"`
		Max    int            `json:"max"`
		Share  float64        `json:"share"`
		List   []string       `json:"list"`
		On     bool           `json:"on"`
		Inside map[string]int `json:"inside"`
	}
	for text, want := range map[string]string{
		`{"name": 5}`:             "name: must be a text, not a number",
		`{"max": "5"}`:            "max: must be a whole number, not a text",
		`{"max": 1.5}`:            "max: must be a whole number, not 1.5",
		`{"share": []}`:           "share: must be a number, not a list",
		`{"list": "a"}`:           "list: must be a list, not a text",
		`{"on": {}}`:              "on: must be true or false, not an object",
		`{"inside": {"a": true}}`: "inside: must be a whole number, not true or false",
		`{"ports": [70000]}`:      "ports: must be a whole number from 0 to 65535, not 70000",
		`[]`:                      "must be an object, not a list",
		`{"nmae": ""}`:            `unknown field "nmae"`,
		`{} {}`:                   "more than one value",
		`{`:                       "unexpected EOF",
	} {
		var c config
		if err := fault.StrictJSON([]byte(text), &c); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
