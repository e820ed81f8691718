package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
)

// impatient ends a request with its context also while a program that the kubeconfig names for the credentials is still at
// work: client-go waits for that as long as it takes.
type impatient struct {
	inner http.RoundTripper
	// program is that program; empty when there is none.
	program string
}

// errNoLogin says that such a program took too long.
var errNoLogin = errors.New("it may wait for a login: log in with kubectl first")

func (i impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.program == "" {
		return i.inner.RoundTrip(r)
	}
	type answer struct {
		*http.Response
		err error
	}
	done := make(chan answer, 1)
	go func() {
		a, err := i.inner.RoundTrip(r)
		done <- answer{a, err}
	}()
	select {
	case a := <-done:
		return a.Response, a.err
	case <-r.Context().Done():
	}
	go func() {
		if a := <-done; a.err == nil {
			a.Body.Close()
		}
	}()
	return nil, fmt.Errorf("wait for %s of the kubeconfig: %w: %w", i.program, errNoLogin, r.Context().Err())
}
