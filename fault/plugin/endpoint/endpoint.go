// Package endpoint breaks whatever a service of the user's own breaks when it is asked by HTTP. It must never follow a
// redirect with a secret in hand, nor let one into a record or a message. Start at Endpoint; the protocol is that of fault/plugin.
package endpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/plugin"
	"github.com/belay-dr/belay/internal/secret"
)

// Endpoint is the config of a fault that an HTTP service makes: each request of the protocol is a POST to its URL.
type Endpoint struct {
	URL string `yaml:"url" json:"url"`
	// AuthorizationFile holds the value of the Authorization header: "Bearer ...". It is read for each request and never kept.
	AuthorizationFile string `yaml:"authorization_file,omitempty" json:"authorization_file,omitempty"`
	// Config is handed to the service as it is.
	Config map[string]any `yaml:"config,omitempty" json:"config,omitempty"`
	// Fidelity is how near the fault is to the real thing; empty lets the service say.
	Fidelity string `yaml:"fidelity,omitempty" json:"fidelity,omitempty"`
}

// CheckConfig says what is wrong.
func (e *Endpoint) CheckConfig() map[string]string {
	wrong := map[string]string{}
	open := strings.Contains(e.URL, "${")
	u, err := url.Parse(e.URL)
	switch {
	case open:
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		wrong["url"] = `must be a URL: "https://flags.example.test/belay"`
	case u.User != nil:
		wrong["url"] = "must not hold a password: give authorization_file"
	case u.Scheme == "http" && e.AuthorizationFile != "" && !loopback(u.Hostname()):
		wrong["url"] = "must be https: a secret would be sent in clear"
	}
	if f := e.AuthorizationFile; f != "" && !strings.Contains(f, "${") && !filepath.IsAbs(f) {
		wrong["authorization_file"] = "the path must be absolute"
	}
	if e.Fidelity != "" && fault.Fidelity(e.Fidelity).Rank() < 0 {
		wrong["fidelity"] = "must be signal, network, process, host, zone, region or data"
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Target returns the target.
func (e *Endpoint) Target() fault.Target {
	return plugin.Spoken{Via: service{e.URL, e.AuthorizationFile}, Config: e.Config, Fidelity: fault.Fidelity(e.Fidelity), Elsewhere: true}
}

// service calls an endpoint.
type service struct{ url, authorization string }

// Name leaves out the query: some put secrets there.
func (s service) Name() string {
	bare, _, _ := strings.Cut(s.url, "?")
	return bare
}

// Place is not needed: the URL says it.
func (s service) Place() (string, error) { return "", nil }

// connectTime is how long a connection may take to come about.
const connectTime = 3 * time.Second

func (s service) Call(ctx context.Context, _ string, request []byte, started func(group int) error) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "belay")
	var hide secret.Redactor
	if s.authorization != "" {
		if err := authorize(r, s.authorization, &hide); err != nil {
			return nil, err
		}
	}
	if err := started(0); err != nil {
		return nil, err
	}
	client := http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSHandshakeTimeout: connectTime, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, reason(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, plugin.LargestReply+1))
	if err != nil {
		return nil, reason(err)
	}
	b = []byte(hide.Redact(string(b)))
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return nil, fmt.Errorf("it answers %s to %q: redirects are not followed, give that URL", answer.Status, hide.Redact(answer.Header.Get("Location")))
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s: %q", answer.Status, brief(b))
	case kind != "application/json":
		return nil, fmt.Errorf("it answers with %q, not application/json", kind)
	}
	return b, nil
}

// authorize reads the secret and lets nobody see it.
func authorize(r *http.Request, path string, hide *secret.Redactor) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("authorization_file: %w", err)
	}
	value := strings.TrimSpace(string(b))
	if value == "" || strings.ContainsAny(value, "\r\n") {
		return fmt.Errorf("authorization_file: %s must hold one line", path)
	}
	hide.Add("authorization", value)
	if _, token, ok := strings.Cut(value, " "); ok {
		hide.Add("authorization", token)
	}
	r.Header.Set("Authorization", value)
	return nil
}

// reason is an error of the client without the URL, which may hold a secret in its query, and with what helps.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("it does not answer: is it up, and is this its URL: %w", err)
	}
	return err
}

func brief(b []byte) string {
	s := strings.Join(strings.Fields(string(b)), " ")
	return s[:min(len(s), 200)]
}
