package bookstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// version is bumped by hand at each release, as the beacon /version/ shows.
const version = 1

// api is the Bookstore's API. It keeps nothing between two requests.
type api struct {
	store       Store
	environment string
	version     int
	// today is the day a book is published on when nothing is said.
	today func() time.Time
}

// endpoint is what is at one path: its methods in the order in which Allow names them.
type endpoint struct {
	methods []string
	handle  map[string]func(*http.Request) (reply, error)
}

// ServeHTTP finds the endpoint. A known path without its trailing slash is sent to the one with it.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := a.endpoint(r.URL.Path)
	if !ok {
		if _, ok := a.endpoint(r.URL.Path + "/"); ok {
			to := *r.URL
			to.Path += "/"
			http.Redirect(w, r, to.RequestURI(), http.StatusMovedPermanently)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<h1>Not Found</h1><p>The requested URL was not found on this server.</p>")
		return
	}
	w.Header().Set("Allow", strings.Join(e.methods, ", "))
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // the server drops the body
	}
	handle, ok := e.handle[method]
	switch {
	case ok && slices.Contains(e.methods, r.Method):
		answered, err := handle(r)
		if err != nil {
			answered = replyToError(err)
		}
		answered.write(w)
	case r.Method == http.MethodOptions:
		describe(r.URL.Path).write(w)
	default:
		detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method \"%s\" not allowed.", r.Method)).write(w)
	}
}

// endpoint returns what is at the path.
func (a *api) endpoint(path string) (endpoint, bool) {
	type handlers = map[string]func(*http.Request) (reply, error)
	switch path {
	case "/":
		return endpoint{[]string{"GET", "HEAD", "OPTIONS"}, handlers{"GET": a.root}}, true
	case "/version", "/version/":
		return endpoint{[]string{"GET", "HEAD", "OPTIONS"}, handlers{"GET": a.beacon}}, true
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if !strings.HasSuffix(path, "/") || strings.Contains(path, "//") || len(parts) > 2 {
		return endpoint{}, false
	}
	kind, ok := a.kinds()[parts[0]]
	if !ok {
		return endpoint{}, false
	}
	if len(parts) == 1 {
		return endpoint{[]string{"GET", "POST", "HEAD", "OPTIONS"}, handlers{"GET": kind.list, "POST": kind.create}}, true
	}
	row := func(f func(r *http.Request, id string) (reply, error)) func(*http.Request) (reply, error) {
		return func(r *http.Request) (reply, error) {
			if _, err := strconv.ParseInt(parts[1], 10, 64); err != nil {
				return reply{}, errNotFound
			}
			return f(r, parts[1])
		}
	}
	return endpoint{[]string{"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}, handlers{
		"GET": row(kind.read), "PUT": row(kind.update), "PATCH": row(kind.update), "DELETE": row(kind.remove),
	}}, true
}

// kind is what can be done with authors, or with books.
type kind interface {
	list(*http.Request) (reply, error)
	create(*http.Request) (reply, error)
	read(r *http.Request, id string) (reply, error)
	// update is PUT, where required fields must be there, and PATCH, where what is not there stays as it is.
	update(r *http.Request, id string) (reply, error)
	remove(r *http.Request, id string) (reply, error)
}

func (a *api) kinds() map[string]kind {
	return map[string]kind{"authors": authors{a.store}, "books": books{a.store, a.today}}
}

func (a *api) root(r *http.Request) (reply, error) {
	return reply{status: http.StatusOK, body: struct {
		Authors string `json:"authors"`
		Books   string `json:"books"`
	}{link(r, "authors", ""), link(r, "books", "")}}, nil
}

func (a *api) beacon(*http.Request) (reply, error) {
	return reply{status: http.StatusOK, body: struct {
		Environment string `json:"environment"`
		Version     int    `json:"version"`
	}{a.environment, a.version}}, nil
}

// describe answers OPTIONS.
func describe(path string) reply {
	name := map[string]string{"authors": "Author", "books": "Book", "version": "Version"}[strings.Split(strings.Trim(path, "/"), "/")[0]]
	if name == "" {
		name = "Api Root"
	}
	return reply{status: http.StatusOK, body: struct {
		Name    string   `json:"name"`
		Renders []string `json:"renders"`
		Parses  []string `json:"parses"`
	}{name, []string{"application/json"}, []string{"application/json", "application/x-www-form-urlencoded"}}}
}

// link is an absolute URL as the client would write it: it follows the Host header, so that the same row has another
// URL behind another name.
func link(r *http.Request, kind, id string) string {
	url := "http://" + r.Host + "/" + kind + "/"
	if id != "" {
		url += id + "/"
	}
	return url
}

// runAPI serves the API until it is killed or its supervisor goes.
func runAPI(ctx context.Context, c call) error {
	child := newChild()
	flags := newFlags("api", c.stderr)
	listen := flags.String("listen", "", "`address` to serve on instead of the one in bookstore.json")
	if err := flags.Parse(c.args); err != nil {
		return child.refuse(fmt.Errorf("%w: %v", errUsage, err))
	}
	info, err := ReadInfo(c.dir)
	if errors.Is(err, os.ErrNotExist) && *listen != "" && os.Getenv("DATABASE_URL") != "" {
		info, err = &Info{Environment: "bookstore-api"}, nil // alone, in front of a PostgreSQL
	}
	if err != nil {
		return child.refuse(err)
	}
	a := &api{environment: info.Environment, version: version, today: time.Now}
	if name := os.Getenv("ENVIRONMENT"); name != "" {
		a.environment = name
	}
	if a.store, err = storeFor(ctx, info); err != nil {
		return child.refuse(err)
	}
	address := info.address(API)
	if *listen != "" {
		address = *listen
	}
	time.Sleep(info.Delay)
	return child.serve(address, a)
}

// storeFor is PostgreSQL when DATABASE_URL says so, and the database component otherwise.
func storeFor(ctx context.Context, info *Info) (Store, error) {
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		return newRemote(info.DatabaseAddress), nil
	}
	p, err := openPostgres(url)
	if err != nil {
		return nil, err
	}
	return p, preparePostgres(ctx, p.db)
}
