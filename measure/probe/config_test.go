package probe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/measure"
)

// One mistake each, with its exact message.
func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ kind, config, want string }{
		{"smtp", `{}`, `decode check: unknown kind "smtp" (known: dns, file, http, run, tcp)`},
		{"http", `[]`, `decode check http: json: cannot unmarshal array into Go value of type probe.HTTP`},
		{"http", `{}`, `decode check http: url: is missing: which URL shall be asked?`},
		{"http", `{"url": "localhost:80"}`, `decode check http: url: "localhost:80" must begin with http:// or https://`},
		{"http", `{"url": "http:///books"}`, `decode check http: url: "http:///books" names no host`},
		{"http", `{"url": "http://a", "method": "get"}`, `decode check http: method: "get" is not a method (did you mean "GET"?)`},
		{"http", `{"url": "http://a", "follow": -1}`, `decode check http: follow: it counts redirects, so it cannot be negative`},
		{"http", `{"url": "http://a", "status": 200, "expect": {"status": 200}}`, `decode check http: status: is given twice: here and below expect`},
		{"http", `{"url": "http://a", "expect": {"status": 2000}}`, `decode check http: expect.status: 2000 is not an HTTP status (200 is OK)`},
		{"http", `{"url": "http://a", "expect": {"json": {"online": true}}}`, `decode check http: expect.json: parse path "online": it must begin with $`},
		{"http", `{"url": "http://a", "expect": {"identity": "who"}}`, `decode check http: expect.identity: parse path "who": it must begin with $`},
		{"http", `{"url": "http://a", "timeout": "5"}`, `decode check http: timeout: "5" is not a length of time such as 2s`},
		{"tcp", `{}`, `decode check tcp: address: is missing: expected host:port`},
		{"tcp", `{"address": "localhost"}`, `decode check tcp: address: "localhost" is not host:port`},
		{"dns", `{}`, `decode check dns: name: is missing: which name shall be looked up?`},
		{"file", `{}`, `decode check file: path: is missing: which file shall be looked at?`},
		{"file", `{"path": "a", "absent": true, "contains": "b"}`, `decode check file: absent: an absent file has no content to check`},
		{"file", `{"path": "a", "sha256": "abc"}`, `decode check file: sha256: expected 64 hexadecimal digits`},
		{"run", `{}`, `decode check run: argv: is missing: which program shall run? For example [pg_isready, -h, localhost]`},
	} {
		if _, err := Decode("check", c.kind, json.RawMessage(c.config)); err == nil || err.Error() != c.want {
			t.Errorf("%s %s:\n got %v\nwant %s", c.kind, c.config, err, c.want)
		}
	}
}

// What the playbook has read goes through JSON and comes back the same.
func TestConfigsRoundTrip(t *testing.T) {
	for family, kinds := range families {
		for kind, build := range kinds {
			config := build()
			if _, ok := config.(Prober); !ok {
				t.Errorf("%s %s is no prober", family, kind)
			}
			if _, ok := config.(interface {
				Short(values []string, list bool) error
			}); !ok {
				t.Errorf("%s %s has no short form", family, kind)
			}
		}
	}
	var config HTTP
	if err := config.Short([]string{"http://a/"}, false); err != nil {
		t.Fatal(err)
	}
	if err := config.Expect.Status.Short([]string{"200", "301"}, true); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(&config)
	if err != nil || string(b) != `{"url":"http://a/","expect":{"status":[200,301]}}` {
		t.Errorf("%s, %v", b, err)
	}
	if err := config.Expect.Status.Short([]string{"ok"}, false); err == nil {
		t.Error("a word is not a status")
	}
	var run Run
	if err := run.Short([]string{"ls -l"}, false); err == nil || err.Error() != "expected a list: [program, argument, ...]; it is not run by a shell" {
		t.Errorf("run: %v", err)
	}
	var tcp TCP
	if err := tcp.Short([]string{"a:1", "b:2"}, true); err == nil || err.Error() != "expected host:port, not a list" {
		t.Errorf("tcp: %v", err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	const config = `{"path": "%s"%s}`
	ask := func(more string) Answer {
		t.Helper()
		return once(t, decode(t, "check", "file", config, path, more), time.Second)
	}
	if a := ask(""); a.Outcome != measure.Fail || a.Reason != path+" does not exist" {
		t.Errorf("%+v", a)
	}
	if a := ask(`, "absent": true`); a.Outcome != measure.OK {
		t.Errorf("%+v", a)
	}
	if err := os.WriteFile(path, []byte("online"), 0o600); err != nil {
		t.Fatal(err)
	}
	const digest = "f6fc84c9f21c24907d6bee6eec38cabab5fa9a7be8c4a7827fe9e56f245bd2d5"
	for more, want := range map[string]string{
		"":                             "",
		`, "contains": "line"`:         "",
		`, "sha256": "` + digest + `"`: "",
		`, "contains": "offline"`:      path + ` does not contain "offline"`,
		`, "absent": true`:             path + " exists",
		`, "sha256": "` + strings.Repeat("0", 64) + `"`: path + " has the digest " + digest,
	} {
		outcome := measure.OK
		if want != "" {
			outcome = measure.Fail
		}
		if a := ask(more); a.Outcome != outcome || a.Reason != want {
			t.Errorf("%s: %s %q, want %q", more, a.Outcome, a.Reason, want)
		}
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		config  string
		outcome measure.Outcome
		reason  string
	}{
		{`{"argv": ["true"]}`, measure.OK, ""},
		{`{"argv": ["sh", "-c", "echo $WHO"], "env": {"WHO": "blue"}, "contains": "blue"}`, measure.OK, ""},
		{`{"argv": ["sh", "-c", "echo no such row >&2; exit 3"]}`, measure.Fail, "exit status 3: no such row"},
		{`{"argv": ["false"]}`, measure.Fail, "exit status 1: no output"},
		{`{"argv": ["echo", "green"], "contains": "blue"}`, measure.Fail, `the output does not contain "blue"`},
		{`{"argv": ["sh", "-c", "sleep 30 & wait"], "timeout": "50ms"}`, measure.Fail, "timeout"},
		{`{"argv": ["belay-no-such-program"]}`, measure.Fail, `exec: "belay-no-such-program": executable file not found in $PATH`},
	} {
		a := once(t, decode(t, "check", "run", "%s", c.config), 10*time.Second)
		if a.Outcome != c.outcome || a.Reason != c.reason {
			t.Errorf("%s: %s %q, want %s %q", c.config, a.Outcome, a.Reason, c.outcome, c.reason)
		}
	}
}

func TestDNS(t *testing.T) {
	if a := once(t, decode(t, "check", "dns", `{"name": "localhost", "equals": "127.0.0.1"}`), 5*time.Second); a.Outcome != measure.OK {
		t.Errorf("%s %q", a.Outcome, a.Reason)
	}
	a := once(t, decode(t, "check", "dns", `{"name": "localhost", "equals": "192.0.2.1"}`), 5*time.Second)
	if a.Outcome != measure.Fail || a.Address == "" {
		t.Errorf("%+v", a)
	}
}
