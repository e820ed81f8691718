package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/belay-dr/belay/measure"
	"github.com/belay-dr/belay/measure/probe"
)

// readLimit bounds how much is read back: 64 MiB.
const readLimit = 64 << 20

// collection is the store behind an HTTP canary.
type collection struct {
	config             HTTP
	mark               marker
	items, field, link probe.Path
	links              bool // rows can be removed
}

func newCollection(config HTTP, namespace string) (*collection, error) {
	wrong := config.CheckConfig()
	for _, key := range slices.Sorted(maps.Keys(wrong)) {
		return nil, fmt.Errorf("%s: %s", key, wrong[key])
	}
	mark, err := newMarker(namespace)
	if err != nil {
		return nil, err
	}
	c := &collection{config: config, mark: mark, links: config.Delete != ""}
	if config.Items == "" {
		config.Items = "$"
	}
	if config.Delete == "" {
		config.Delete = "$"
	}
	var errs [3]error
	c.items, errs[0] = probe.ParsePath(config.Items)
	c.field, errs[1] = probe.ParsePath(config.Field)
	c.link, errs[2] = probe.ParsePath(config.Delete)
	return c, errors.Join(errs[:]...)
}

// write creates one row. What is not certain is unknown: once the request may have left, only an answer tells.
func (c *collection) write(ctx context.Context, seq int64, stamp time.Time) (measure.WriteState, string) {
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	status, _, err := c.send(traced, c.config.method(), c.config.URL, c.mark.fill(c.config.Body, seq, stamp), 1<<16)
	switch {
	case status != 0:
		return c.settle(status)
	case !connected.Load():
		_, why := probe.Classify(ctx, err)
		return measure.WriteFailed, why + " (nothing was sent)"
	}
	_, why := probe.Classify(ctx, err)
	return measure.WriteUnknown, why
}

// settle says what a status means for the row. A 5xx may come from in front of or behind the write, so it is unknown, and so are the
// few 4xx that do not tell: 408 (too slow) and 409 (it is there already, or not).
func (c *collection) settle(status int) (measure.WriteState, string) {
	why := fmt.Sprintf("status %d", status)
	switch {
	case status >= 200 && status <= 299:
		return measure.WriteAcked, ""
	case slices.Contains(c.config.Refused, status):
		return measure.WriteFailed, why
	case status >= 400 && status <= 499 && status != http.StatusRequestTimeout && status != http.StatusConflict:
		return measure.WriteFailed, why
	}
	return measure.WriteUnknown, why
}

// send makes one request over a new connection. The status is known even when the body could not be read.
func (c *collection) send(ctx context.Context, method, target, body string, limit int64) (status int, got []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body == "" {
		req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "belay-canary")
	req.Header.Set("Cache-Control", "no-cache")
	for name, value := range c.config.Headers {
		req.Header.Set(name, value)
	}
	transport := probe.Fresh()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	got, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err == nil && int64(len(got)) > limit {
		err = fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	return res.StatusCode, got, err
}

// row is one of our rows as the service shows it.
type row struct {
	seq  int64
	link string
}

// read lists our rows and asks who answers.
func (c *collection) read(ctx context.Context) (Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.timeout())
	defer cancel()
	rows, address, err := c.rows(ctx)
	if err != nil {
		return Reading{}, err
	}
	r := Reading{Address: address, Present: make([]int64, 0, len(rows))}
	for _, row := range rows {
		r.Present = append(r.Present, row.seq)
	}
	if b := c.config.Identity; b != nil {
		beacon := probe.HTTP{URL: b.URL, Expect: probe.Expect{Identity: b.Path}}
		r.Identity = beacon.Probe(ctx).Identity
	}
	return r, nil
}

func (c *collection) rows(ctx context.Context) ([]row, string, error) {
	var address atomic.Value
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		address.Store(i.Conn.RemoteAddr().String())
	}})
	status, body, err := c.send(traced, http.MethodGet, c.config.readURL(), "", readLimit)
	switch {
	case err != nil:
		return nil, "", err
	case status < 200 || status > 299:
		return nil, "", fmt.Errorf("%s answered with status %d", c.config.readURL(), status)
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, "", fmt.Errorf("%s did not answer with JSON: %w", c.config.readURL(), err)
	}
	found, ok := c.items.Find(doc)
	list, isList := found.([]any)
	if !ok || !isList {
		return nil, "", fmt.Errorf("%s has no list at %s", c.config.readURL(), c.items)
	}
	peer, _ := address.Load().(string)
	return c.ours(list), peer, nil
}

// ours picks the rows that carry our mark, in the order they came.
func (c *collection) ours(list []any) []row {
	var rows []row
	for _, item := range list {
		value, _ := c.field.Find(item)
		text, _ := value.(string)
		seq, ok := c.mark.seq(text)
		if !ok {
			continue
		}
		r := row{seq: seq}
		if value, ok := c.link.Find(item); ok && c.links {
			r.link, _ = value.(string)
		}
		rows = append(rows, r)
	}
	return rows
}

// clean removes our rows one by one. It follows a row's link only within the collection it was read from.
func (c *collection) clean(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.timeout())
	defer cancel()
	rows, _, err := c.rows(ctx)
	if err != nil {
		return 0, err
	}
	if !c.links {
		return len(rows), nil
	}
	var first error
	for _, r := range rows {
		if err := c.remove(ctx, r); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	left, _, err := c.rows(ctx)
	if err != nil {
		return len(rows), errors.Join(first, err)
	}
	if len(left) == 0 {
		return 0, nil
	}
	return len(left), first
}

func (c *collection) remove(ctx context.Context, r row) error {
	target, err := c.within(r.link)
	if err != nil {
		return fmt.Errorf("remove row %d: %w", r.seq, err)
	}
	status, _, err := c.send(ctx, http.MethodDelete, target, "", 1<<16)
	if status == 0 {
		return fmt.Errorf("remove row %d: %w", r.seq, err)
	}
	if gone := status == http.StatusNotFound || status == http.StatusGone; !gone && (status < 200 || status > 299) {
		return fmt.Errorf("remove row %d: status %d", r.seq, status)
	}
	return nil
}

// within resolves a row's link and refuses one that leaves the collection.
func (c *collection) within(link string) (string, error) {
	base, err := url.Parse(c.config.readURL())
	if err != nil {
		return "", err
	}
	ref, err := url.Parse(link)
	if err != nil || link == "" {
		return "", fmt.Errorf("%q is no link", link)
	}
	target := base.ResolveReference(ref)
	target.Scheme = base.Scheme // a service behind a TLS proxy writes http into its links
	folder := strings.TrimSuffix(base.EscapedPath(), "/") + "/"
	rest, inside := strings.CutPrefix(target.EscapedPath(), folder)
	name, err := url.PathUnescape(strings.TrimSuffix(rest, "/"))
	if err != nil || target.Host != base.Host || !inside || name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return "", fmt.Errorf("%s is not a row of %s", target, base)
	}
	return target.String(), nil
}
