package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

const ms = time.Millisecond

// author is a row of the Bookstore.
type author struct {
	URL       string `json:"url"`
	BirthDate string `json:"birth_date"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// shelf is the authors of a Bookstore, kept in memory, with ways to go wrong.
type shelf struct {
	*httptest.Server
	mu      sync.Mutex
	next    int
	rows    []author
	deleted []string
	// answer, when set, replaces the answer to a POST, after the row was stored.
	answer http.HandlerFunc
	stuck  bool // rows cannot be removed
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"environment": "blue"}`) })
	mux.HandleFunc("GET /authors/", s.list)
	mux.HandleFunc("POST /authors/", s.create)
	mux.HandleFunc("DELETE /authors/{id}/", s.remove)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	s.rows = []author{{URL: s.URL + "/authors/king/", LastName: "King", FirstName: "Stephen", BirthDate: "1947-09-21"}}
	return s
}

func (s *shelf) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	json.NewEncoder(w).Encode(s.rows)
}

func (s *shelf) create(w http.ResponseWriter, r *http.Request) {
	var a author
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || a.BirthDate == "" || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "bad author", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.next++
	a.URL = fmt.Sprintf("%s/authors/%d/", s.URL, s.next)
	s.rows = append(s.rows, a)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *shelf) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = append(s.deleted, r.PathValue("id"))
	if s.stuck {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	s.rows = slices.DeleteFunc(s.rows, func(a author) bool { return strings.HasSuffix(a.URL, "/"+r.PathValue("id")+"/") })
	w.WriteHeader(http.StatusNoContent)
}

func (s *shelf) keep(keep func(author) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = slices.DeleteFunc(s.rows, func(a author) bool { return !keep(a) })
}

const config = `{"url": "%[1]s/authors/", "body": "{\"first_name\": \"{seq}\", \"last_name\": \"{marker}\", \"birth_date\": \"2000-01-01\"}",
	"field": "$.last_name", "delete": "$.url", "identity": {"url": "%[1]s/version/", "path": "$.environment"}}`

func (s *shelf) canary(t *testing.T, namespace string) *Canary {
	t.Helper()
	c, err := Decode("http", json.RawMessage(fmt.Sprintf(config, s.URL)), namespace, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write runs a canary for n writes and returns its journal.
func write(t *testing.T, c *Canary, n int) []measure.Write {
	t.Helper()
	clk := clock.System{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var journal []measure.Write
	err := c.Run(ctx, clk, clk.Boot(), measure.Pace{Period: 5 * ms, Timeout: time.Second}, func(w measure.Write) error {
		journal = append(journal, w)
		if len(journal) == 2*n-1 {
			cancel() // during the last write: it must be finished all the same
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return journal
}

func TestWritesReadsBackAndCleansUp(t *testing.T) {
	s := newShelf(t)
	other := s.canary(t, "exercise-2")
	write(t, other, 2)
	c := s.canary(t, "exercise-1")
	journal := write(t, c, 4)
	if len(journal) != 8 {
		t.Fatalf("%d lines in the journal, want 8", len(journal))
	}
	for i := 0; i < 8; i += 2 {
		intent, end := journal[i], journal[i+1]
		if intent.State != measure.WriteIntent || end.State != measure.WriteAcked || intent.Seq != int64(i/2+1) || end.Seq != intent.Seq || end.Sent != intent.Sent || end.Done <= end.Sent {
			t.Errorf("write %d: %+v, %+v", i/2+1, intent, end)
		}
		if i > 0 && intent.Sent < journal[i-1].Done {
			t.Errorf("write %d overlaps the one before", intent.Seq)
		}
	}
	got, err := c.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Reading{Present: []int64{1, 2, 3, 4}, Identity: "blue", Address: strings.TrimPrefix(s.URL, "http://")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	s.keep(func(a author) bool { return a.FirstName != "3" || !strings.Contains(a.LastName, "exercise-1") })
	present, err := c.ReadBack(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if loss := measure.Loss(journal, present, measure.OutageReport{}); !slices.Equal(loss.Lost, []int64{3}) || loss.Holes != 1 {
		t.Errorf("loss %+v", loss)
	}

	if left, err := c.Cleanup(t.Context()); left != 0 || err != nil {
		t.Errorf("%d left, %v", left, err)
	}
	if slices.Contains(s.deleted, "king") || len(s.rows) != 3 {
		t.Errorf("deleted %v, kept %v", s.deleted, s.rows)
	}
}

func TestCleanupSaysWhatIsLeft(t *testing.T) {
	s := newShelf(t)
	c := s.canary(t, "x")
	write(t, c, 2)
	s.stuck = true
	if left, err := c.Cleanup(t.Context()); left != 2 || err == nil || err.Error() != "clean up canary: remove row 1: status 403" {
		t.Errorf("%d left, %v", left, err)
	}
	// A row that carries our mark but links elsewhere is not followed.
	s.stuck = false
	s.mu.Lock()
	for i := range s.rows {
		if strings.HasPrefix(s.rows[i].LastName, "belay") {
			s.rows[i].URL = s.URL + "/authors/../admin/"
		}
	}
	s.deleted = nil
	s.mu.Unlock()
	if left, err := c.Cleanup(t.Context()); left != 2 || err == nil || len(s.deleted) != 0 {
		t.Errorf("%d left, %v, deleted %v", left, err, s.deleted)
	}
}

func TestLinksStayWithinTheCollection(t *testing.T) {
	c := &collection{config: HTTP{URL: "https://shop.example/authors/"}}
	for link, want := range map[string]string{
		"https://shop.example/authors/7/": "https://shop.example/authors/7/",
		"http://shop.example/authors/7":   "https://shop.example/authors/7",
		"7/":                              "https://shop.example/authors/7/",
		"/authors/7/":                     "https://shop.example/authors/7/",
		"":                                "",
		"https://shop.example/authors/":   "",
		"https://shop.example/books/7/":   "",
		"https://evil.example/authors/7/": "",
		"../books/7/":                     "",
		"/authors/%2e%2e/":                "",
		"/authors/a%2fb/":                 "",
		"/authors/7/books/1/":             "",
	} {
		if got, err := c.within(link); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", link, got, err, want)
		}
	}
}

// What is certain is said, and what is not is unknown.
func TestWriteOutcomes(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   measure.WriteState
		reason string
	}{
		{"created", status(201), measure.WriteAcked, ""},
		{"bad request", status(400), measure.WriteFailed, "status 400"},
		{"too many requests", status(429), measure.WriteFailed, "status 429"},
		{"conflict", status(409), measure.WriteUnknown, "status 409"},
		{"server error", status(500), measure.WriteUnknown, "status 500"},
		{"refused, as stated", status(503), measure.WriteFailed, "status 503"},
		{"redirected", status(302), measure.WriteUnknown, "status 302"},
		{"reset after it was sent", reset, measure.WriteUnknown, "connection reset"},
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body); <-r.Context().Done() }, measure.WriteUnknown, "timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShelf(t)
			s.answer = c.answer
			raw := strings.Replace(fmt.Sprintf(config, s.URL), `"delete"`, `"refused": [503], "delete"`, 1)
			canary, err := Decode("http", json.RawMessage(raw), "x", 1)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
			defer cancel()
			if state, reason := canary.store.write(ctx, 1, time.Now()); state != c.want || reason != c.reason {
				t.Errorf("%s %q, want %s %q", state, reason, c.want, c.reason)
			}
		})
	}
	s := newShelf(t)
	canary := s.canary(t, "x")
	s.Close()
	if state, reason := canary.store.write(t.Context(), 1, time.Now()); state != measure.WriteFailed || reason != "connection refused (nothing was sent)" {
		t.Errorf("nobody listens: %s %q", state, reason)
	}
}

// fakeStore answers after a while, in fake time.
type fakeStore struct {
	takes  []time.Duration
	sent   []int64
	onSend func(seq int64)
}

func (f *fakeStore) write(ctx context.Context, seq int64, _ time.Time) (measure.WriteState, string) {
	f.sent = append(f.sent, seq)
	if f.onSend != nil {
		f.onSend(seq)
	}
	took := 10 * ms
	if i := len(f.sent) - 1; i < len(f.takes) {
		took = f.takes[i]
	}
	select {
	case <-time.After(took):
		return measure.WriteAcked, ""
	case <-ctx.Done():
		return measure.WriteUnknown, "timeout"
	}
}

func (f *fakeStore) read(context.Context) (Reading, error) { return Reading{}, errors.New("not here") }
func (f *fakeStore) clean(context.Context) (int, error)    { return 0, nil }

// A slow write leaves a real gap, and the next starts at the next tick: nothing overlaps, nothing is caught up.
func TestRunLeavesRealGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStore{takes: []time.Duration{10 * ms, 250 * ms, time.Hour}}
		c := &Canary{store: f, first: 41}
		var got []measure.Write
		ctx, cancel := context.WithTimeout(t.Context(), 1150*ms)
		defer cancel()
		clk := clock.Bubble{}
		err := c.Run(ctx, clk, clk.Boot(), measure.Pace{Period: 100 * ms, Timeout: 350 * ms}, func(w measure.Write) error {
			if w.State != measure.WriteIntent {
				got = append(got, w)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []measure.Write{
			{Seq: 41, Sent: 0, Done: 10 * ms, State: measure.WriteAcked},
			{Seq: 42, Sent: 100 * ms, Done: 350 * ms, State: measure.WriteAcked},
			{Seq: 43, Sent: 400 * ms, Done: 750 * ms, State: measure.WriteUnknown, Reason: "timeout"},
			{Seq: 44, Sent: 800 * ms, Done: 810 * ms, State: measure.WriteAcked},
			{Seq: 45, Sent: 900 * ms, Done: 910 * ms, State: measure.WriteAcked},
			{Seq: 46, Sent: 1000 * ms, Done: 1010 * ms, State: measure.WriteAcked},
			{Seq: 47, Sent: 1100 * ms, Done: 1110 * ms, State: measure.WriteAcked},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// The intent is journaled before anything is sent; when that is not possible, nothing is sent.
func TestNothingIsSentBeforeItIsJournaled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journaled := map[int64]bool{}
		f := &fakeStore{}
		f.onSend = func(seq int64) {
			if !journaled[seq] {
				t.Errorf("write %d was sent first", seq)
			}
		}
		full := errors.New("disk full")
		clk := clock.Bubble{}
		err := (&Canary{store: f, first: 1}).Run(t.Context(), clk, clk.Boot(), measure.Pace{Period: ms, Timeout: ms}, func(w measure.Write) error {
			if w.Seq == 4 {
				return full
			}
			journaled[w.Seq] = true
			return nil
		})
		if !errors.Is(err, full) || err.Error() != "run canary: journal write 4: disk full" {
			t.Errorf("%v", err)
		}
		if !slices.Equal(f.sent, []int64{1, 2, 3}) {
			t.Errorf("sent %v", f.sent)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := fmt.Sprintf(config, "http://127.0.0.1:1")
	for _, c := range []struct{ kind, raw, namespace, want string }{
		{"sql", good, "x", `decode canary: unknown kind "sql" (known: http)`},
		{"http", `7`, "x", `decode canary http: json: cannot unmarshal number into Go value of type canary.HTTP`},
		{"http", good, "a b", `decode canary http: namespace "a b": letters, digits, dot, dash and underscore only, 64 at most`},
		{"http", good, "", `decode canary http: namespace "": letters, digits, dot, dash and underscore only, 64 at most`},
		{"http", strings.Replace(good, "{marker}", "me", 1), "x", `decode canary http: body: it must hold {marker}, so that its rows are found again and nobody else's are touched`},
		{"http", strings.Replace(good, "$.last_name", "", 1), "x", `decode canary http: field: is missing: where in a row is the marker? For example $.last_name`},
		{"http", strings.Replace(good, "$.last_name", "last", 1), "x", `decode canary http: field: parse path "last": it must begin with $`},
		{"http", strings.Replace(good, "http://127.0.0.1:1/authors/", "authors", 1), "x", `decode canary http: url: "authors" is not the URL of a collection`},
		{"http", strings.Replace(good, `"field"`, `"timeout": "1", "field"`, 1), "x", `decode canary http: timeout: "1" is not a length of time such as 30s`},
		{"http", strings.Replace(good, `"field"`, `"refused": [200], "field"`, 1), "x", `decode canary http: refused: 200 is not the status of a refusal`},
		{"http", strings.Replace(good, "$.environment", "who", 1), "x", `decode canary http: identity.path: parse path "who": it must begin with $`},
	} {
		if _, err := Decode(c.kind, json.RawMessage(c.raw), c.namespace, 1); err == nil || err.Error() != c.want {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}

func TestMarker(t *testing.T) {
	m, err := newMarker("01JD-x")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int64{0, 1, 999_999, 1_000_000} {
		if got, ok := m.seq(m.of(seq)); !ok || got != seq {
			t.Errorf("%s reads back as %d, %v", m.of(seq), got, ok)
		}
	}
	for _, text := range []string{"", "King", "belay-canary-01JD-x-", "belay-canary-01JD-x-1", "belay-canary-01JD-x--00001", "belay-canary-01JD-x-000001 ", "belay-canary-01JD-000001"} {
		if seq, ok := m.seq(text); ok {
			t.Errorf("%q is taken for row %d", text, seq)
		}
	}
}
