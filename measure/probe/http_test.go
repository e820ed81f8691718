package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belay-dr/belay/measure"
)

// decode makes a prober from JSON, as an exercise does.
func decode(t *testing.T, family, kind, config string, args ...any) Prober {
	t.Helper()
	p, err := Decode(family, kind, json.RawMessage(fmt.Sprintf(config, args...)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// once asks with a second of patience.
func once(t *testing.T, p Prober, timeout time.Duration) Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return p.Probe(ctx)
}

// site answers the way its path says.
func site(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/version/", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"environment": "bookstore-api-blue", "version": 7, "online": true}`)
	})
	mux.HandleFunc("/moved/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/version/", http.StatusFound) })
	mux.HandleFunc("/broken/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusInternalServerError) })
	mux.HandleFunc("/reset/", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	})
	mux.HandleFunc("/cut/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	})
	mux.HandleFunc("/slow/", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/slow-body/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/endless/", func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			w.Write(make([]byte, BodyLimit))
		}
	})
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.Header.Get("X-Team"), body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestHTTP(t *testing.T) {
	url := site(t).URL
	for _, c := range []struct {
		name, config string
		outcome      measure.Outcome
		reason       string
	}{
		{"ok", `{"url": "%s/version/"}`, measure.OK, ""},
		{"status, body, values, identity", `{"url": "%s/version/", "expect": {"status": [200, 204], "contains": "blue", "json": {"$.version": 7, "$.online": true}, "identity": "$.environment"}}`, measure.OK, ""},
		{"status for short", `{"url": "%s/broken/", "status": 500}`, measure.OK, ""},
		{"wrong status", `{"url": "%s/version/", "expect": {"status": 204}}`, measure.Fail, "status 200, expected 204"},
		{"server error", `{"url": "%s/broken/"}`, measure.Fail, "status 500, expected 200 to 299"},
		{"wrong body", `{"url": "%s/version/", "expect": {"contains": "green"}}`, measure.Fail, `the body does not contain "green"`},
		{"wrong value", `{"url": "%s/version/", "expect": {"json": {"$.environment": "bookstore-api-green"}}}`, measure.Fail, `$.environment is "bookstore-api-blue", expected "bookstore-api-green"`},
		{"no value", `{"url": "%s/version/", "expect": {"json": {"$.zone": "a"}}}`, measure.Fail, "nothing at $.zone"},
		{"no identity", `{"url": "%s/version/", "expect": {"identity": "$.who"}}`, measure.Fail, "no identity at $.who"},
		{"not JSON", `{"url": "%s/broken/", "expect": {"status": 500, "identity": "$.who"}}`, measure.Fail, "the body is not JSON"},
		{"redirect is not followed", `{"url": "%s/moved/"}`, measure.Fail, "status 302, expected 200 to 299"},
		{"redirect is followed when asked", `{"url": "%s/moved/", "follow": 1}`, measure.OK, ""},
		{"reset", `{"url": "%s/reset/"}`, measure.Fail, "connection reset"},
		{"cut off", `{"url": "%s/cut/"}`, measure.Fail, "reading the body: unexpected EOF"},
		{"no answer", `{"url": "%s/slow/", "timeout": "50ms"}`, measure.Fail, "timeout"},
		{"the body never ends in time", `{"url": "%s/slow-body/", "timeout": "50ms"}`, measure.Fail, "reading the body: timeout"},
		{"too much body", `{"url": "%s/endless/"}`, measure.Fail, "the body is longer than 1 MiB"},
		{"method, headers, body", `{"url": "%s/echo/", "method": "PUT", "headers": {"X-Team": "books", "Host": "shop.example"}, "body": "{}", "expect": {"contains": "PUT shop.example books {}"}}`, measure.OK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := once(t, decode(t, "probe", "http", c.config, url), 5*time.Second)
			if a.Outcome != c.outcome || a.Reason != c.reason {
				t.Errorf("%s %q, want %s %q", a.Outcome, a.Reason, c.outcome, c.reason)
			}
			if a.Address != strings.TrimPrefix(url, "http://") {
				t.Errorf("answered from %q", a.Address)
			}
		})
	}
}

func TestHTTPSaysWhoAnsweredAndExplains(t *testing.T) {
	url := site(t).URL
	a := once(t, decode(t, "probe", "http", `{"url": "%s/version/", "headers": {"Authorization": "Bearer s3cret"}, "expect": {"identity": "$.environment", "contains": "green"}}`, url), time.Second)
	if a.Identity != "bookstore-api-blue" {
		t.Errorf("identity %q: it must be known even when the answer is wrong", a.Identity)
	}
	ex := a.Explain
	if !strings.HasPrefix(ex.Asked, "GET "+url+"/version/") || !strings.Contains(ex.Got, "200 OK") || !strings.Contains(string(ex.Body), "blue") {
		t.Errorf("explanation: %+v", ex)
	}
	if strings.Contains(ex.Asked, "s3cret") {
		t.Error("the explanation tells a secret")
	}
	var names []string
	for _, part := range ex.Timings {
		names = append(names, part.Name)
	}
	if got := strings.Join(names, " "); got != "connect send first byte body" {
		t.Errorf("timings: %s", got)
	}
}

// Each probe opens a connection of its own, so a new node behind the same name is seen at once.
func TestHTTPConnectsAfreshAndBustsCaches(t *testing.T) {
	var mu sync.Mutex
	conns, queries := map[string]bool{}, map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		conns[r.RemoteAddr], queries[r.URL.RawQuery] = true, true
	}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	p := decode(t, "probe", "http", `{"url": "%s/?a=b", "bust": true}`, server.URL)
	for range 3 {
		if a := once(t, p, time.Second); a.Outcome != measure.OK {
			t.Fatal(a.Reason)
		}
	}
	if len(conns) != 3 || len(queries) != 3 {
		t.Errorf("%d connections, %d queries, want 3 of each", len(conns), len(queries))
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	tcp := decode(t, "probe", "tcp", `{"address": "%s"}`, address)
	if a := once(t, tcp, time.Second); a.Outcome != measure.OK || a.Address != address {
		t.Errorf("open port: %+v", a)
	}
	l.Close()
	for kind, p := range map[string]Prober{"tcp": tcp, "http": decode(t, "probe", "http", `{"url": "http://%s/"}`, address)} {
		if a := once(t, p, time.Second); a.Outcome != measure.Fail || a.Reason != "connection refused" {
			t.Errorf("%s, closed port: %s %q", kind, a.Outcome, a.Reason)
		}
	}
}

// A probe that the observer cancels says nothing about the service.
func TestCancelledIsVoid(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := decode(t, "probe", "http", `{"url": "%s/slow/"}`, site(t).URL)
	if a := p.Probe(ctx); a.Outcome != measure.Void {
		t.Errorf("%s %q", a.Outcome, a.Reason)
	}
}

func BenchmarkHTTPProbe(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"environment": "blue"}`) }))
	defer server.Close()
	p := &HTTP{URL: server.URL, Expect: Expect{Identity: "$.environment"}}
	for b.Loop() {
		if a := p.Probe(b.Context()); a.Outcome != measure.OK {
			b.Fatal(a.Reason)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "probes/s")
}

// BenchmarkBareClient is the least that a new connection each time can cost: compare it with BenchmarkHTTPProbe.
func BenchmarkBareClient(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"environment": "blue"}`) }))
	defer server.Close()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for b.Loop() {
		res, err := client.Get(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "probes/s")
}
