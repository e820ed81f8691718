package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/belay-dr/belay/measure"
)

func TestClassify(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, c := range []struct {
		err     error
		outcome measure.Outcome
		reason  string
	}{
		{nil, measure.OK, ""},
		{dial(syscall.ECONNREFUSED), measure.Fail, "connection refused"},
		{dial(syscall.ECONNRESET), measure.Fail, "connection reset"},
		{dial(syscall.EPIPE), measure.Fail, "connection reset"},
		{dial(syscall.EHOSTUNREACH), measure.Fail, "host unreachable"},
		{dial(syscall.ETIMEDOUT), measure.Fail, "timeout"},
		{os.ErrDeadlineExceeded, measure.Fail, "timeout"},
		{&net.DNSError{Err: "no such host", Name: "api.example.com", IsNotFound: true}, measure.Fail, "no such name: api.example.com"},
		{errors.New("malformed HTTP response"), measure.Fail, "malformed HTTP response"},
		{dial(syscall.EMFILE), measure.Void, "this process has no file descriptor left"},
		{dial(syscall.ENFILE), measure.Void, "this machine has no file descriptor left"},
		{dial(syscall.ENOBUFS), measure.Void, "this machine has no network buffer left"},
		{dial(syscall.EADDRNOTAVAIL), measure.Void, "this machine has no port or address left to call from"},
		{dial(syscall.ENETUNREACH), measure.Void, "this machine has no route"},
		{dial(syscall.ENETDOWN), measure.Void, "this machine's network is down"},
		{fmt.Errorf("fork/exec /bin/true: %w", syscall.EAGAIN), measure.Void, "this machine cannot start another process"},
		{dial(syscall.EPERM), measure.Void, "this machine forbids it"},
	} {
		if outcome, reason := Classify(t.Context(), c.err); outcome != c.outcome || reason != c.reason {
			t.Errorf("%v: %s %q, want %s %q", c.err, outcome, reason, c.outcome, c.reason)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-late.Done()
	if outcome, reason := Classify(late, context.DeadlineExceeded); outcome != measure.Fail || reason != "timeout" {
		t.Errorf("deadline: %s %q", outcome, reason)
	}
}
