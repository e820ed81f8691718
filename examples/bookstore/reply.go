package bookstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// reply is one answer of the API. A nil body is no body.
type reply struct {
	status   int
	body     any
	location string
}

// errNotFound says that there is no such row.
var errNotFound = errors.New("not found")

// refusal is an error that is itself an answer.
type refusal struct{ reply }

func (refusal) Error() string { return "refused" }

func (r reply) write(w http.ResponseWriter) {
	if r.location != "" {
		w.Header().Set("Location", r.location)
	}
	if r.body == nil {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(r.status)
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r.body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	body := bytes.TrimRight(b.Bytes(), "\n")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.status)
	w.Write(body)
}

// detail is an answer of one sentence.
func detail(status int, text string) reply {
	return reply{status: status, body: struct {
		Detail string `json:"detail"`
	}{text}}
}

// replyToError turns what went wrong into an answer. A database that is away is 503, so that a probe can tell.
func replyToError(err error) reply {
	var r refusal
	switch {
	case errors.As(err, &r):
		return r.reply
	case errors.Is(err, errNotFound):
		return detail(http.StatusNotFound, "Not found.")
	case errors.Is(err, errAway):
		return detail(http.StatusServiceUnavailable, "The database is not available.")
	default:
		return detail(http.StatusInternalServerError, "Server error.")
	}
}
