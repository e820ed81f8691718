package probe

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// trace notes when the parts of a request ended, and who answered. Its times are for people; measuring uses the watcher's clock.
type trace struct {
	mu    sync.Mutex
	last  time.Time
	parts []Timing
	peer  string
}

func newTrace() *trace { return &trace{last: time.Now()} }

func (t *trace) mark(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.parts = append(t.parts, Timing{Name: name, Took: now.Sub(t.last)})
	t.last = now
}

func (t *trace) timings() []Timing {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Timing(nil), t.parts...)
}

func (t *trace) address() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peer
}

func (t *trace) context(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSDone:          func(httptrace.DNSDoneInfo) { t.mark("lookup") },
		ConnectDone:      func(_, _ string, err error) { t.mark("connect") },
		TLSHandshakeDone: func(tls.ConnectionState, error) { t.mark("tls") },
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.peer = info.Conn.RemoteAddr().String()
		},
		WroteRequest:         func(httptrace.WroteRequestInfo) { t.mark("send") },
		GotFirstResponseByte: func() { t.mark("first byte") },
	})
}
