package ssh

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for where, want := range map[string]Host{
		"ssh://app-1":              {Name: "app-1"},
		"ssh://ops@app-1":          {User: "ops", Name: "app-1"},
		"ssh://ops@app-1:2222/":    {User: "ops", Name: "app-1", Port: "2222"},
		"ssh://ops@[fd00::2]?sudo": {User: "ops", Name: "fd00::2", Sudo: true},
		"ssh://app-1?sudo=true":    {Name: "app-1", Sudo: true},
	} {
		if h, err := Parse(where); err != nil || h != want {
			t.Errorf("%s: %+v, %v, want %+v", where, h, err, want)
		}
	}
	for where, want := range map[string]string{
		"app-1":                  "not of the form ssh://user@host:port",
		"http://app-1":           "not of the form",
		"ssh://":                 "not of the form",
		"ssh://app-1/path":       "not of the form",
		"ssh://app-1#x":          "not of the form",
		"ssh://u:secret@app-1":   "a password does not belong into an ssh:// place",
		"ssh://-oProxyCommand=x": "plain names",
		"ssh://-l@app-1":         "plain names",
		"ssh://a$(x)@app-1":      "plain names",
		"ssh://app-1?sudo=no":    "the only option is ?sudo",
		"ssh://app-1?tty":        "the only option is ?sudo",
		"ssh://app-1:port":       "not of the form",
		"ssh://app 1":            "not of the form",
	} {
		if h, err := Parse(where); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v, want %q", where, h, err, want)
		}
	}
}

// FuzzParse looks that nothing of a place can become an option of ssh or a word of a shell.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"ssh://ops@app-1:22?sudo", "ssh://-x", "ssh://a'b", "ssh://%2dx@y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, where string) {
		h, err := Parse(where)
		if err != nil {
			return
		}
		argv := h.Argv("true")
		end := slices.Index(argv, "--")
		if end < 0 || len(argv) != end+3 || argv[end+1] != h.Name {
			t.Fatalf("%q: %q", where, argv)
		}
		for _, word := range []string{h.User, h.Name, h.Port} {
			if strings.HasPrefix(word, "-") || strings.ContainsAny(word, " \t\n'\"\\$`;|&") {
				t.Fatalf("%q has the word %q", where, word)
			}
		}
	})
}

// FuzzQuote lets a shell read the words back.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", `"$HOME" \ * ; # !`, "\n\t", "-n"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, 0) {
			return // no argument can hold one
		}
		out, err := exec.Command("/bin/sh", "-c", "printf '%s|%s|' "+Quote(a, b)).Output()
		if err != nil || string(out) != a+"|"+b+"|" {
			t.Fatalf("%q, %q came back as %q, %v", a, b, out, err)
		}
	})
}
