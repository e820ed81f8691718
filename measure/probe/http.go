package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/belay-dr/belay/measure"
)

// BodyLimit bounds how much of a body is read: 1 MiB.
const BodyLimit = 1 << 20

// explainLimit bounds how much of a body an explanation keeps.
const explainLimit = 2048

// Fresh returns a transport for one request: it opens a new connection after a fresh name lookup, takes no proxy from the
// environment, keeps nothing, retries nothing, and speaks HTTP/1.1.
func Fresh() *http.Transport {
	return &http.Transport{
		DialContext:        (&net.Dialer{Resolver: &net.Resolver{PreferGo: true}, FallbackDelay: -1}).DialContext,
		DisableKeepAlives:  true,
		DisableCompression: true,
		Proxy:              nil,
		MaxIdleConns:       -1,
	}
}

// Probe asks once. The deadline covers everything: lookup, connection, TLS, and the whole body.
func (c *HTTP) Probe(ctx context.Context) Answer {
	ctx, cancel := withTimeout(ctx, c.Timeout)
	defer cancel()
	t := newTrace()
	req, err := c.request(t.context(ctx))
	if err != nil {
		return failed("%s", err)
	}
	ex := Explanation{Asked: dumpRequest(req, c.Body)}
	transport := Fresh()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: c.redirect}
	res, err := client.Do(req)
	if err != nil {
		a := answer(ctx, unwrapURL(err))
		ex.Timings = t.timings()
		a.Address, a.Explain = t.address(), ex
		return a
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, BodyLimit+1))
	t.mark("body")
	ex.Got, ex.Body, ex.Timings = dumpResponse(res), head(body), t.timings()
	a := c.judge(ctx, res, body, err)
	a.Address, a.Explain = t.address(), ex
	return a
}

func (c *HTTP) request(ctx context.Context) (*http.Request, error) {
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	target, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Bust {
		query := target.Query()
		query.Set("belay", rand.Text())
		target.RawQuery = query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	if c.Body == "" {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	}
	req.Header.Set("User-Agent", "belay")
	req.Header.Set("Cache-Control", "no-cache")
	if c.Body != "" && json.Valid([]byte(c.Body)) {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.Headers {
		req.Header.Set(name, value)
		if strings.EqualFold(name, "Host") {
			req.Host = value
		}
	}
	return req, nil
}

func (c *HTTP) redirect(_ *http.Request, via []*http.Request) error {
	if len(via) > c.Follow {
		return http.ErrUseLastResponse
	}
	return nil
}

// judge decides whether the answer is the one that was asked for.
func (c *HTTP) judge(ctx context.Context, res *http.Response, body []byte, err error) Answer {
	var doc any
	isJSON := json.Unmarshal(body, &doc) == nil
	identity := c.identity(doc, isJSON)
	if err != nil {
		a := answer(ctx, err)
		a.Reason, a.Identity = "reading the body: "+a.Reason, identity
		return a
	}
	a := Answer{Outcome: measure.OK, Identity: identity}
	if why := c.objection(res.StatusCode, body, doc, isJSON, identity); why != "" {
		a.Outcome, a.Reason = measure.Fail, why
	}
	return a
}

func (c *HTTP) identity(doc any, isJSON bool) string {
	path, err := ParsePath(c.Expect.Identity)
	if err != nil || !isJSON {
		return ""
	}
	value, ok := path.Find(doc)
	if !ok {
		return ""
	}
	return Text(value)
}

// objection is the first thing wrong with an answer, or empty.
func (c *HTTP) objection(status int, body []byte, doc any, isJSON bool, identity string) string {
	want := slices.Concat(c.Status, c.Expect.Status)
	switch {
	case !want.allow(status):
		return fmt.Sprintf("status %d, expected %s", status, want)
	case len(body) > BodyLimit:
		return "the body is longer than 1 MiB"
	case c.Expect.Contains != "" && !bytes.Contains(body, []byte(c.Expect.Contains)):
		return fmt.Sprintf("the body does not contain %q", c.Expect.Contains)
	case !isJSON && (len(c.Expect.JSON) > 0 || c.Expect.Identity != ""):
		return "the body is not JSON"
	case c.Expect.Identity != "" && identity == "":
		return fmt.Sprintf("no identity at %s", c.Expect.Identity)
	}
	for _, text := range slices.Sorted(maps.Keys(c.Expect.JSON)) {
		path, err := ParsePath(text)
		if err != nil {
			return err.Error()
		}
		value, ok := path.Find(doc)
		if !ok {
			return fmt.Sprintf("nothing at %s", text)
		}
		if got, want := Text(value), Text(c.Expect.JSON[text]); got != want {
			return fmt.Sprintf("%s is %q, expected %q", text, got, want)
		}
	}
	return ""
}

// unwrapURL drops the method and URL that net/http puts before an error.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// dumpRequest writes the request for people; headers that carry secrets are blanked.
func dumpRequest(req *http.Request, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\nHost: %s\n", req.Method, req.URL.Redacted(), req.URL.Host)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		value := strings.Join(req.Header[name], ", ")
		if secretHeader(name) {
			value = "***"
		}
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	if body != "" {
		fmt.Fprintf(&b, "\n%s\n", head([]byte(body)))
	}
	return b.String()
}

func secretHeader(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"auth", "cookie", "token", "key", "secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func dumpResponse(res *http.Response) string {
	for name := range res.Header {
		if secretHeader(name) {
			res.Header.Set(name, "***")
		}
	}
	b, err := httputil.DumpResponse(res, false)
	if err != nil {
		return res.Proto + " " + res.Status
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

func head(b []byte) []byte { return b[:min(len(b), explainLimit)] }
