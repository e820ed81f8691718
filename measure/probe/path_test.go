package probe

import (
	"encoding/json"
	"testing"
)

func TestPath(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(`{"a": {"b": [{"c": 7}, {"c": "x"}], "any key": null, "it's": true}, "list": [[1, 2]]}`), &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"$.a.b[0].c", "7"},
		{"$.a.b[1].c", "x"},
		{"$['a']['any key']", "null"},
		{`$.a["it's"]`, "true"},
		{"$.list[0][1]", "2"},
		{"$.list[0]", "[1,2]"},
		{"$.a.b[2].c", ""},
		{"$.a.c", ""},
		{"$[0]", ""},
		{"$.list.a", ""},
		{"$.a.b[0].c.d", ""},
	} {
		p, err := ParsePath(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		got := ""
		if value, ok := p.Find(doc); ok {
			got = Text(value)
		}
		if got != c.want || p.String() != c.path {
			t.Errorf("%s finds %q, want %q", p, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"":        `parse path "": it must begin with $`,
		"a.b":     `parse path "a.b": it must begin with $`,
		"$a":      `parse path "$a": expected . or [ at "a"`,
		"$.":      `parse path "$.": expected a name at "."`,
		"$..a":    `parse path "$..a": expected a name at "..a"`,
		"$.a[":    `parse path "$.a[": expected . or [ at "["`,
		"$.a[x]":  `parse path "$.a[x]": expected an index such as [0] at "[x]"`,
		"$.a[-1]": `parse path "$.a[-1]": expected an index such as [0] at "[-1]"`,
		"$['a]":   `parse path "$['a]": expected '] at "['a]"`,
		"$.*":     `parse path "$.*": expected a name at ".*"`,
	} {
		if _, err := ParsePath(path); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$", "$.a.b[0].c", "$['a b'][3]", `$["x"]`, "$..", "$[99999999999]", "$['"} {
		f.Add(seed, `{"a": {"b": [{"c": 1}]}}`)
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		if again, err := ParsePath(p.String()); err != nil || len(again.steps) != len(p.steps) {
			t.Fatalf("%q does not read back: %v", p, err)
		}
		var doc any
		if json.Unmarshal([]byte(document), &doc) == nil {
			if value, ok := p.Find(doc); ok {
				Text(value)
			}
		}
	})
}
