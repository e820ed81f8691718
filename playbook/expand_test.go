package playbook_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/playbook"
)

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}

func TestExpand(t *testing.T) {
	values := lookup(map[string]string{"host": "10.0.0.1", "nested": "${host}", "empty": ""})
	for text, want := range map[string]string{
		"": "", "plain $5 and $HOME": "plain $5 and $HOME", "ssh://${host}:22": "ssh://10.0.0.1:22", "${host}${host}": "10.0.0.110.0.0.1",
		"${nested}": "${host}", "$${host}": "${host}", "a$${b ${host}": "a${b 10.0.0.1", "[${empty}]": "[]", "$": "$", "$$": "$$", "$$${host}": "$${host}",
	} {
		if got, err := playbook.Expand(text, values); err != nil || got != want {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"${port} ${zone}": "no value for ${port}, ${zone}", "${host": "the placeholder ${host is not closed", "${}": "${} is no placeholder",
		"${a b}": "${a b} is no placeholder", "${1}": "${1} is no placeholder", "${a.b}": "${a.b} is no placeholder",
	} {
		if got, err := playbook.Expand(text, values); err == nil || !strings.HasPrefix(err.Error(), want) || got != "" {
			t.Errorf("%q: got %q and %v, want %q", text, got, err, want)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	got := playbook.Placeholders("${a} $${b} ${c} ${a}")
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %v", got)
	}
}

func TestSpecExpandCopiesDeeply(t *testing.T) {
	config := &httpKind{URL: "http://${host}/", Header: map[string]string{"X": "${host}"}, Body: map[string]any{"list": []any{"${host}", 1, nil}}}
	spec := playbook.Spec{Kind: "http", Config: config}
	got, err := spec.Expand(lookup(map[string]string{"host": "h"}))
	if err != nil {
		t.Fatal(err)
	}
	want := &httpKind{URL: "http://h/", Header: map[string]string{"X": "h"}, Body: map[string]any{"list": []any{"h", 1, nil}}}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Error(diff)
	}
	if config.URL != "http://${host}/" || config.Header["X"] != "${host}" || config.Body.(map[string]any)["list"].([]any)[0] != "${host}" {
		t.Errorf("the spec itself was changed: %+v", config)
	}
	if _, err := spec.Expand(lookup(nil)); err == nil || err.Error() != "expand http: no value for ${host}" {
		t.Errorf("got %v", err)
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"${a}", "$${a}", "$$${a}", "${", "a ${b} c", "${é}", "$$$${a}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		same := func(name string) (string, bool) { return "${" + name + "}", true }
		got, err := playbook.Expand(text, same)
		if err != nil {
			return
		}
		if want := strings.ReplaceAll(text, "$${", "${"); got != want {
			t.Fatalf("%q: got %q, want %q", text, got, want)
		}
		for _, name := range playbook.Placeholders(text) {
			if !strings.Contains(text, "${"+name+"}") {
				t.Fatalf("%q does not hold ${%s}", text, name)
			}
		}
	})
}
