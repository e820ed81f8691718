package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// api is the HTTP API of a Toxiproxy.
type api struct{ base string }

// state is one proxy there.
type state struct {
	Name     string  `json:"name"`
	Listen   string  `json:"listen"`
	Upstream string  `json:"upstream"`
	Enabled  bool    `json:"enabled"`
	Toxics   []toxic `json:"toxics"`
}

var (
	// errNone says that the server has no such proxy or toxic.
	errNone = errors.New("there is none")
	// errEnded says that no server listens there any more, on this very host.
	errEnded = errors.New("the server has ended")
)

const (
	// callBound is how long one call may take.
	callBound = 5 * time.Second
	// largest is how much of an answer is read.
	largest = 4 << 20
)

// call makes one request, without redirects and without a proxy of its own.
func (a api) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callBound)
	defer cancel()
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(a.base, "/")+path, send)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "belay")
	r.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) && a.here() {
		return errors.Join(errEnded, err)
	}
	var sent *url.Error
	if errors.As(err, &sent) && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ask Toxiproxy: no answer within %s: %w", callBound, context.DeadlineExceeded)
	}
	if errors.As(err, &sent) {
		return fmt.Errorf("ask Toxiproxy: %w", sent.Err)
	}
	if err != nil {
		return fmt.Errorf("ask Toxiproxy: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, largest))
	if err != nil {
		return fmt.Errorf("ask Toxiproxy: %w", err)
	}
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return errNone
	case answer.StatusCode >= 300:
		return fmt.Errorf("ask Toxiproxy: %s %s: %s: %s", method, path, answer.Status, brief(text))
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("ask Toxiproxy: %s: this is no answer of one: %w", path, err)
	}
	return nil
}

// here says that the server can only be on this host.
func (a api) here() bool {
	u, err := url.Parse(a.base)
	return err == nil && loopback(net.JoinHostPort(u.Hostname(), "0"))
}

func brief(text []byte) string {
	s := strings.Join(strings.Fields(string(text)), " ")
	return s[:min(len(s), 200)]
}

func proxyPath(name string) string { return "/proxies/" + url.PathEscape(name) }

// proxy is one proxy as it is now.
func (a api) proxy(ctx context.Context, name string) (state, error) {
	var s state
	err := a.call(ctx, http.MethodGet, proxyPath(name), nil, &s)
	if err == nil && s.Name != name {
		err = fmt.Errorf("ask Toxiproxy: %s: this is no answer of one", proxyPath(name))
	}
	return s, err
}

// names are all proxies there.
func (a api) names(ctx context.Context) ([]string, error) {
	var all map[string]state
	if err := a.call(ctx, http.MethodGet, "/proxies", nil, &all); err != nil {
		return nil, err
	}
	var out []string
	for name := range all {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

func (a api) add(ctx context.Context, name string, x toxic) error {
	return a.call(ctx, http.MethodPost, proxyPath(name)+"/toxics", x, nil)
}

// remove removes a toxic. One that is gone is no error.
func (a api) remove(ctx context.Context, name, toxic string) error {
	err := a.call(ctx, http.MethodDelete, proxyPath(name)+"/toxics/"+url.PathEscape(toxic), nil, nil)
	if errors.Is(err, errNone) {
		return nil
	}
	return err
}

// enable switches a whole proxy on or off. POST is understood by every version, PATCH only by the newer ones.
func (a api) enable(ctx context.Context, name string, on bool) error {
	return a.call(ctx, http.MethodPost, proxyPath(name), map[string]bool{"enabled": on}, nil)
}
