package bookstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
)

// errAway says that the database cannot be reached.
var errAway = errors.New("the database is not available")

// askTimeout bounds one question to the database.
const askTimeout = time.Second

// Store is what the API keeps its rows in. The statement's parameters are $1, $2 and so on; a nil argument is NULL.
// The error is errAway when the database cannot be reached.
type Store interface {
	Query(ctx context.Context, statement string, args ...*string) ([][]string, error)
}

// remote asks the database server of this package. It keeps no connection, so that nothing has to be mended when the
// server comes back.
type remote struct {
	url    string
	client *http.Client
}

func newRemote(address string) *remote {
	return &remote{
		url:    "http://" + address + "/query",
		client: &http.Client{Timeout: askTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

func (r *remote) Query(ctx context.Context, statement string, args ...*string) ([][]string, error) {
	body, err := json.Marshal(query{statement, args})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errAway, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s", errAway, response.Status)
	}
	var a answer
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil {
		return nil, fmt.Errorf("%w: %v", errAway, err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Rows, nil
}

// postgres asks PostgreSQL. The pool of database/sql replaces broken connections by itself.
type postgres struct{ db *sql.DB }

// openPostgres opens the pool; it does not connect yet.
func openPostgres(url string) (*postgres, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(8)
	return &postgres{db}, nil
}

func (p *postgres) Query(ctx context.Context, statement string, args ...*string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	values := make([]any, len(args))
	for i, arg := range args {
		if arg != nil {
			values[i] = *arg
		}
	}
	rows, err := queryText(ctx, p.db, statement, values)
	var refused interface{ SQLState() string }
	if err != nil && !errors.As(err, &refused) {
		return nil, fmt.Errorf("%w: %v", errAway, err)
	}
	return rows, err
}
