package bookstore

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// eachStore runs the test on both kinds of database, each with its first rows.
func eachStore(t *testing.T, test func(t *testing.T, store Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newSQLiteStore(t)) })
	t.Run("postgresql", func(t *testing.T) {
		url, ok := startPostgres(t)
		if !ok {
			return
		}
		store, err := openPostgres(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.db.Close() })
		if err := preparePostgres(t.Context(), store.db); err != nil {
			t.Fatal(err)
		}
		test(t, store)
	})
}

// newSQLiteStore asks a database server of this package, over the network as the API does.
func newSQLiteStore(t *testing.T) Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data", "bookstore.db")
	if err := createDataFile(t.Context(), path, true); err != nil {
		t.Fatal(err)
	}
	s, err := openServer(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return newRemote(strings.TrimPrefix(web.URL, "http://"))
}

func newTestAPI(store Store) *api {
	today := func() time.Time { return time.Date(2018, 11, 12, 23, 0, 0, 0, time.UTC) }
	return &api{store: store, environment: "bookstore-api-test", version: 7, today: today}
}

// TestAPI plays testdata/api.txt: requests, each followed by the whole answer.
func TestAPI(t *testing.T) {
	eachStore(t, func(t *testing.T, store Store) {
		file := filepath.Join("testdata", "api.txt")
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		played := play(t, newTestAPI(store), string(script))
		if *update && strings.HasSuffix(t.Name(), "sqlite") {
			if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		compareLines(t, string(script), played)
	})
}

// play sends each request of the script and writes it out again with what was answered.
func play(t *testing.T, handler http.Handler, script string) string {
	t.Helper()
	var out strings.Builder
	for _, line := range strings.Split(script, "\n") {
		if strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
		}
		if request, ok := strings.CutPrefix(line, "> "); ok {
			out.WriteString(line + "\n" + ask(handler, request) + "\n")
		}
	}
	return out.String()
}

// ask sends one request, written as "METHOD PATH [TYPE] [BODY]", and returns the answer.
func ask(handler http.Handler, request string) string {
	method, rest, _ := strings.Cut(request, " ")
	path, rest, _ := strings.Cut(rest, " ")
	kind := "application/json"
	if !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, "[") {
		if given, body, ok := strings.Cut(rest, " "); ok {
			kind, rest = given, body
		}
	}
	r := httptest.NewRequest(method, "http://bookstore.test"+path, strings.NewReader(rest))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d", w.Code)
	for _, name := range []string{"Content-Type", "Allow", "Location"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&b, " | %s: %s", name, v)
		}
	}
	b.WriteByte('\n')
	if body := strings.TrimSpace(w.Body.String()); body != "" && method != http.MethodHead { // the server drops it for HEAD
		b.WriteString(body + "\n")
	}
	return b.String()
}

func compareLines(t *testing.T, want, got string) {
	t.Helper()
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			line := func(l []string) string {
				if i < len(l) {
					return l[i]
				}
				return "(the end)"
			}
			t.Fatalf("testdata/api.txt:%d:\n want %s\n  got %s\n(-update writes what was answered)", i+1, line(a), line(b))
		}
	}
}

// TestDatabaseAway wants a quick 503 while the database is away, and an answer as soon as it is back, without a restart.
func TestDatabaseAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bookstore.db")
	if err := createDataFile(t.Context(), path, true); err != nil {
		t.Fatal(err)
	}
	s, err := openServer(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.db.Close()
	addresses, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	a := newTestAPI(newRemote(addresses[0]))
	for range 2 {
		started := time.Now()
		if got := ask(a, "GET /books/"); !strings.HasPrefix(got, "503 ") || !strings.Contains(got, "not available") {
			t.Fatalf("without a database the API says %s", got)
		}
		if took := time.Since(started); took > 500*time.Millisecond {
			t.Errorf("it took %v to say so", took)
		}
		web := &http.Server{Addr: addresses[0], Handler: s}
		go web.ListenAndServe()
		deadline := time.Now().Add(5 * time.Second)
		for stopped(&Info{DatabaseAddress: addresses[0]}, Database) == nil {
			if time.Now().After(deadline) {
				t.Fatal("the database does not come up")
			}
		}
		if got := ask(a, "GET /books/"); !strings.HasPrefix(got, "200 ") {
			t.Fatalf("with the database back the API says %s", got)
		}
		web.Close()
	}
}

// TestDataLost wants the server to notice that its file has gone, or that another is in its place, and to acknowledge
// nothing after that.
func TestDataLost(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"gone":     os.Remove,
		"moved":    func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+".x") },
		"replaced": func(path string) error { return copyFile(path, path) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data", "bookstore.db")
			if err := createDataFile(t.Context(), path, true); err != nil {
				t.Fatal(err)
			}
			s, err := openServer(path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.db.Close()
			web := httptest.NewServer(s)
			defer web.Close()
			lost := make(chan error, 1)
			go func() { lost <- s.watch() }()
			if err := lose(path); err != nil {
				t.Fatal(err)
			}
			if _, err := newRemote(strings.TrimPrefix(web.URL, "http://")).Query(context.Background(), `SELECT 1`); !errors.Is(err, errAway) {
				t.Errorf("a query after the loss: %v", err)
			}
			select {
			case err := <-lost:
				if !errors.Is(err, errDataLost) {
					t.Error(err)
				}
			case <-time.After(5 * time.Second):
				t.Error("the loss is not noticed")
			}
		})
	}
}

// TestCDN wants each request to see the bucket as it is.
func TestCDN(t *testing.T) {
	at := layout(t.TempDir())
	c := cdn{at.bucket()}
	get := func(path string) string {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		body, _ := io.ReadAll(w.Body)
		return fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(string(body)))
	}
	expect := func(when, path, want string) {
		t.Helper()
		if got := get(path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: GET %s: %s, want %s", when, path, got, want)
		}
	}
	expect("without a bucket", "/static/status.json", "503 ")
	if err := collectStatic(at.backup()); err != nil {
		t.Fatal(err)
	}
	if _, err := createBucket(at); err != nil {
		t.Fatal(err)
	}
	expect("with an empty bucket", "/static/status.json", "404 ")
	if _, err := upload(at, 0); err != nil {
		t.Fatal(err)
	}
	expect("after the upload", "/static/status.json", `200 {"online": true, "cdn": "primary"}`)
	expect("after the upload", "/static/css/bookstore.css", "200 ")
	expect("after the upload", "/static/", "404 ")
	if err := os.WriteFile(at.path("secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	expect("out of the bucket", "/../secret", "404 ")
	if err := os.Symlink(at.path("secret"), at.path("bucket", "link")); err != nil {
		t.Fatal(err)
	}
	if got := get("/link"); strings.HasPrefix(got, "200") {
		t.Errorf("a link leads out of the bucket: %s", got)
	}
	if err := os.Rename(at.bucket(), at.path("away")); err != nil {
		t.Fatal(err)
	}
	expect("with the bucket away", "/static/status.json", "503 ")
}
