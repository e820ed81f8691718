package term

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// Outlet is a writer that remembers the first error, so that a command can print freely and still say at its end that not
// all of it was written. A reader that has gone away, as `head` does, has had enough: that is no error.
type Outlet struct {
	to  io.Writer
	mu  sync.Mutex
	err error
}

// NewOutlet writes to w.
func NewOutlet(w io.Writer) *Outlet { return &Outlet{to: w} }

// Write writes everything or remembers why not. After an error nothing more is written.
func (o *Outlet) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		_, o.err = o.to.Write(b)
	}
	if o.err != nil && !gone(o.err) {
		return 0, o.err
	}
	return len(b), nil
}

// Err is the first error of a write.
func (o *Outlet) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if gone(o.err) {
		return nil
	}
	return o.err
}

// gone says that the reader of a pipe has gone away.
func gone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
