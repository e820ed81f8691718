package bookstore

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// child is the side of a component that its supervisor sees: a lifeline on standard input and a pipe for reports.
//
// The component ends when its standard input does, so that none outlives its supervisor, however that one ended.
type child struct {
	mu     sync.Mutex
	report *os.File // nil when nobody listens
}

// report is one line from a component to its supervisor.
type report struct {
	T     int64  `json:"t_ns,omitempty"`
	State string `json:"state,omitempty"` // "up", "down" or "listening"
	Error string `json:"error,omitempty"`
}

// reportFD is the pipe's number in the component. BOOKSTORE_SUPERVISED says that it is there.
const (
	reportFD   = 3
	supervised = "BOOKSTORE_SUPERVISED"
)

// newChild takes the pipe over and begins to watch the lifeline. A component started by hand has neither.
func newChild() *child {
	c := &child{}
	if os.Getenv(supervised) == "" {
		return c
	}
	c.report = os.NewFile(reportFD, "report")
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return c
}

func (c *child) tell(r report) {
	if c.report == nil {
		return
	}
	line, err := json.Marshal(r)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Write(append(line, '\n'))
}

// refuse tells the supervisor why the component cannot start, and returns the reason.
func (c *child) refuse(err error) error {
	c.tell(report{Error: err.Error()})
	return err
}

// serve listens and serves. The instant that counts as "up" is right after the address was taken, before the first
// connection is accepted: nobody can have been answered earlier, and whoever connects from then on will be.
func (c *child) serve(address string, handler http.Handler) error {
	return c.serveThen(address, handler, func() {})
}

// serveThen is serve with something to do between the report and the first connection.
func (c *child) serveThen(address string, handler http.Handler, then func()) error {
	l, err := net.Listen("tcp", address)
	up := time.Now().UnixNano()
	if err != nil {
		return c.refuse(fmt.Errorf("listen: %w", err))
	}
	c.tell(report{T: up, State: "listening"})
	then()
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	return s.Serve(l)
}
