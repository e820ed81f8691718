package bookstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
)

// bucketEvery is how often the CDN looks whether its beacon can be served. It bounds the error of the CDN's truth.
const bucketEvery = 2 * time.Millisecond

// cdn serves a bucket, reading it anew for each request.
type cdn struct{ bucket string }

func (c cdn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	content, err := c.object(r.URL.Path)
	switch {
	case errors.Is(err, errNoBucket):
		http.Error(w, "the bucket does not exist or cannot be read", http.StatusServiceUnavailable)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		http.Error(w, "no such object", http.StatusNotFound)
	case err != nil:
		http.Error(w, "the object cannot be read", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", contentType(r.URL.Path))
		w.Write(content)
	}
}

var errNoBucket = errors.New("no such bucket")

// object reads one object. Names cannot lead out of the bucket, not even by a link.
func (c cdn) object(name string) ([]byte, error) {
	root, err := os.OpenRoot(c.bucket)
	if err != nil {
		return nil, errNoBucket
	}
	defer root.Close()
	file, err := root.Open(strings.TrimPrefix(path.Clean("/"+name), "/"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if stat, err := file.Stat(); err != nil || stat.IsDir() {
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(file)
}

// contentType is fixed here, because the system's own table differs from machine to machine.
func contentType(name string) string {
	types := map[string]string{
		".json": "application/json", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".html": "text/html; charset=utf-8", ".txt": "text/plain; charset=utf-8",
	}
	if t, ok := types[path.Ext(name)]; ok {
		return t
	}
	return "application/octet-stream"
}

// watch reports when the beacon stops and starts being servable. It begins once the CDN listens.
func (c cdn) watch(ctx context.Context, tell func(report)) {
	up := false
	tick := time.NewTicker(bucketEvery)
	defer tick.Stop()
	for {
		looked := time.Now().UnixNano()
		content, err := c.object(beacon)
		if now := err == nil && len(content) > 0; now != up {
			up = now
			tell(report{T: looked, State: map[bool]string{true: "up", false: "down"}[up]})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func runCDN(ctx context.Context, c call) error {
	child := newChild()
	info, err := ReadInfo(c.dir)
	if err != nil {
		return child.refuse(err)
	}
	serves := cdn{layout(info.Dir).bucket()}
	return child.serveThen(info.address(CDN), serves, func() { go serves.watch(ctx, child.tell) })
}
