package endpoint_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/plugin/endpoint"
)

func plan(t *testing.T, config object, ask fault.Ask) (fault.Plan, error) {
	t.Helper()
	target, err := endpoint.Kinds().Decode(faulttest.Spec(t, object{"http": config}))
	if err != nil {
		return fault.Plan{}, err
	}
	return target.Plan(t.Context(), ask)
}

// TestRefusals has one line for each thing that is wrong with a config, or with what answers.
func TestRefusals(t *testing.T) {
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "http://example.test/belay", http.StatusTemporaryRedirect)
		case "/text":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<h1>welcome</h1>")
		case "/down":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "no\nbackend for "+r.Header.Get("Authorization"))
		case "/refuses":
			_, _ = io.WriteString(w, `{"refused": "checkout is sacred"}`)
		case "/long":
			_, _ = io.WriteString(w, `{"target": "`+strings.Repeat("x", 300<<10)+`"}`)
		case "/late":
			_, _ = io.WriteString(w, `{"target": "x", "class": "self-ending", "changes": ["x"], "ends_after": "1h"}`)
		}
	}))
	defer bad.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String() + "/belay"
	l.Close()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config object
		want   string
	}{
		{object{}, `fault http: url: must be a URL: "https://flags.example.test/belay"`},
		{object{"url": "ftp://x/"}, `fault http: url: must be a URL: "https://flags.example.test/belay"`},
		{object{"url": "https://a:b@x/"}, "fault http: url: must not hold a password: give authorization_file"},
		{object{"url": "http://flags.example.test/", "authorization_file": "/x"}, "fault http: url: must be https: a secret would be sent in clear"},
		{object{"url": "https://x/", "authorization_file": "x"}, "fault http: authorization_file: the path must be absolute"},
		{object{"url": "https://x/", "fidelity": "huge"}, "fault http: fidelity: must be signal, network, process, host, zone, region or data"},
		{object{"url": "https://x/", "header": "x"}, `fault http: unknown field "header"`},
		{object{"url": bad.URL, "authorization_file": "/no/such/file"}, bad.URL + ": authorization_file: open /no/such/file: no such file or directory"},
		{object{"url": bad.URL, "authorization_file": empty}, bad.URL + ": authorization_file: " + empty + " must hold one line"},
		{object{"url": nobody + "?key=s3cret"}, nobody + ": it does not answer: is it up, and is this its URL: dial tcp " + l.Addr().String() + ": connect: connection refused"},
		{object{"url": bad.URL + "/elsewhere"}, bad.URL + `/elsewhere: it answers 307 Temporary Redirect to "http://example.test/belay": redirects are not followed, give that URL`},
		{object{"url": bad.URL + "/text"}, bad.URL + `/text: it answers with "text/html", not application/json`},
		{object{"url": bad.URL + "/down", "authorization_file": secretFile(t)}, bad.URL + `/down: it answers 502 Bad Gateway: "no backend for <secret authorization>"`},
		{object{"url": bad.URL + "/refuses"}, bad.URL + "/refuses refuses: checkout is sacred"},
		{object{"url": bad.URL + "/long"}, bad.URL + "/long: reply to plan: longer than 262144 bytes"},
		{object{"url": bad.URL + "/late"}, bad.URL + "/late: the fault would end by itself after 1h0m0s only, and its limit is 30s"},
		{object{"url": bad.URL + "/nothing"}, bad.URL + "/nothing: reply to plan: it is empty"},
	} {
		if _, err := plan(t, c.config, fault.Ask{ID: "f1", Limit: 30 * time.Second}); err == nil || err.Error() != c.want {
			t.Errorf("%v:\ngot  %v\nwant %s", c.config, err, c.want)
		}
	}
}

// TestElsewhere says that the fault lives in the service, and that it ends there.
func TestElsewhere(t *testing.T) {
	p, err := plan(t, object{"url": service(t) + "/belay", "authorization_file": secretFile(t)}, fault.Ask{ID: "f1", Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Elsewhere || !p.EndsThere || p.KernelEnds {
		t.Errorf("elsewhere %v, ends there %v, kernel ends %v", p.Elsewhere, p.EndsThere, p.KernelEnds)
	}
}

// TestSecretStaysOut holds a fault and looks for the secret in everything that is kept of it.
func TestSecretStaysOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(endpoint.Kinds(), dir).Hold(t.Context(), hold.Request{
		ID: "f1", NoPlaybook: "test", Limit: time.Minute,
		Fault: faulttest.Spec(t, object{"http": object{"url": service(t) + "/belay", "authorization_file": secretFile(t)}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func() {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(files) == 0 {
			t.Error("there is no record")
		}
		for _, path := range files {
			if b, _ := os.ReadFile(path); strings.Contains(string(b), "s3cret") {
				t.Errorf("the secret is in %s", path)
			}
		}
	}
	look()
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	look()
	if b, _ := json.Marshal(st); strings.Contains(string(b), "s3cret") {
		t.Error("the secret is in the status")
	}
}
