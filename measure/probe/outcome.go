package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/belay-dr/belay/measure"
)

// ownFaults are errors of this machine: they say nothing about the service. An unreachable network counts, because
// without a route no packet has left; an unreachable host does not, because something out there had to say so or stay silent.
var ownFaults = []struct {
	err  error
	what string
}{
	{syscall.EMFILE, "this process has no file descriptor left"},
	{syscall.ENFILE, "this machine has no file descriptor left"},
	{syscall.ENOBUFS, "this machine has no network buffer left"},
	{syscall.ENOMEM, "this machine has no memory left"},
	{syscall.EADDRNOTAVAIL, "this machine has no port or address left to call from"},
	{syscall.ENETUNREACH, "this machine has no route"},
	{syscall.ENETDOWN, "this machine's network is down"},
	{syscall.EACCES, "this machine forbids it"},
	{syscall.EPERM, "this machine forbids it"},
	{syscall.EAGAIN, "this machine cannot start another process"},
}

// Classify says what an error of a probe means, in one line. ctx is the probe's own context: when somebody cancelled it (rather than
// its deadline having passed) nothing was seen.
func Classify(ctx context.Context, err error) (measure.Outcome, string) {
	if err == nil {
		return measure.OK, ""
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return measure.Void, "cancelled by the observer"
	}
	for _, f := range ownFaults {
		if errors.Is(err, f.err) && !answered(err) {
			return measure.Void, f.what
		}
	}
	return measure.Fail, reason(ctx, err)
}

// answered says that the name server replied: its reply is about the name, whatever system error comes with it.
func answered(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

// reason puts an error in few words.
func reason(ctx context.Context, err error) string {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "host unreachable"
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("no such name: %s", dns.Name)
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.As(err, &network) && network.Timeout():
		return "timeout"
	}
	return err.Error()
}

// withTimeout bounds a probe: by the config's timeout if there is one, and by DefaultTimeout when nothing else does.
func withTimeout(ctx context.Context, text string) (context.Context, context.CancelFunc) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return context.WithTimeout(ctx, d)
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultTimeout)
}

// answer is an Answer that says only what err means.
func answer(ctx context.Context, err error) Answer {
	outcome, why := Classify(ctx, err)
	return Answer{Outcome: outcome, Reason: why}
}

func failed(format string, args ...any) Answer {
	return Answer{Outcome: measure.Fail, Reason: fmt.Sprintf(format, args...)}
}
