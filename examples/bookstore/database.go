package bookstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// watchEvery is how often the server looks whether its data file is still there.
const watchEvery = 20 * time.Millisecond

// errDataLost says that the data file is gone, or is not the one that was opened.
var errDataLost = errors.New("data file lost")

// query is what the API sends to the database server, and answer what it gets back. Values travel as text.
type query struct {
	SQL  string    `json:"sql"`
	Args []*string `json:"args,omitempty"`
}

type answer struct {
	Rows  [][]string `json:"rows,omitempty"`
	Error string     `json:"error,omitempty"`
}

// server is the database: one SQLite file, served to the API over HTTP.
type server struct {
	db   *sql.DB
	path string
	// opened is the data file as it was when the server started.
	opened os.FileInfo
	shots  *snapshots
}

// openServer opens an existing data file. It never creates one: data that is gone has to be restored, not invented.
func openServer(path string) (*server, error) {
	opened, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open database: the data file is missing: %w", err)
	}
	db, err := openSQLite(path, "rw")
	if err != nil {
		return nil, err
	}
	var tables int
	err = db.QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name IN ('authors', 'books')`).Scan(&tables)
	if err == nil && tables != 2 {
		err = errors.New("the tables are missing")
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &server{db: db, path: path, opened: opened}, nil
}

func openSQLite(path, mode string) (*sql.DB, error) {
	options := url.Values{"mode": {mode}, "_pragma": {"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(2000)", "foreign_keys(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: options.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(4)
	return db, nil
}

// ServeHTTP answers POST /query, POST /snapshot and GET /.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.lost(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /":
		fmt.Fprintln(w, "ready")
	case "POST /query":
		s.serveQuery(w, r)
	case "POST /snapshot":
		name, err := s.shots.take(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, name)
	default:
		http.NotFound(w, r)
	}
}

func (s *server) serveQuery(w http.ResponseWriter, r *http.Request) {
	var q query
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	args := make([]any, len(q.Args))
	for i, arg := range q.Args {
		if arg != nil {
			args[i] = *arg
		}
	}
	// The statement is finished even when the asker has gone: a write that began is never left in between.
	rows, err := queryText(context.WithoutCancel(r.Context()), s.db, q.SQL, args)
	if err == nil {
		err = s.lost() // nothing is acknowledged that went into a file nobody will find
	}
	a := answer{Rows: rows}
	if err != nil {
		a = answer{Error: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a)
}

// lost says whether the data file is gone or another one is in its place.
func (s *server) lost() error {
	now, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%w: %v", errDataLost, err)
	}
	if !os.SameFile(now, s.opened) {
		return fmt.Errorf("%w: another file is in its place", errDataLost)
	}
	return nil
}

// watch returns when the data is lost.
func (s *server) watch() error {
	for range time.Tick(watchEvery) {
		if err := s.lost(); err != nil {
			return err
		}
	}
	return nil
}

// queryText runs one statement and returns every value as text.
func queryText(ctx context.Context, db *sql.DB, statement string, args []any) ([][]string, error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			row[i] = v.String
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// runDatabase serves until it is killed, its supervisor goes, or its data is lost.
func runDatabase(ctx context.Context, c call) error {
	child := newChild()
	info, err := ReadInfo(c.dir)
	if err != nil {
		return child.refuse(err)
	}
	at := layout(info.Dir)
	s, err := openServer(at.dataFile())
	if err != nil {
		return child.refuse(err)
	}
	time.Sleep(info.Delay)
	s.shots = newSnapshots(at.snapshots(), info.SnapshotCopy, s)
	go s.shots.loop(ctx, info.SnapshotEvery, c.stderr)
	go func() {
		err := s.watch()
		fmt.Fprintf(c.stderr, "PANIC: %v; the server stops at once\n", err)
		// As a real server does when its disk goes: no clean-up could be trusted.
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
	return child.serve(info.DatabaseAddress, s)
}
