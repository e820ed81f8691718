package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// The questions that dependencies answer without a login, and that change nothing there.
const (
	askHTTP     = "OPTIONS * HTTP/1.1\r\nHost: belay\r\nUser-Agent: belay\r\nConnection: close\r\n\r\n"
	askPostgres = "\x00\x00\x00\x08\x04\xd2\x16\x2f" // may this connection be encrypted? It answers S or N.
	askRedis    = "PING\r\n"
)

const (
	// patience is how long an answer may take when nothing is broken.
	patience = 2 * time.Second
	// quiet is how long nothing more must come for an answer to be over.
	quiet = 100 * time.Millisecond
	// listenFirst is how long a dependency that speaks first may take.
	listenFirst = 200 * time.Millisecond
	// most is how much of an answer is read.
	most = 1 << 20
)

// question returns what to send, and whether that is all there is to try.
func question(name, upstream string) (text string, sure bool) {
	switch name {
	case "http":
		return askHTTP, true
	case "postgres":
		return askPostgres, true
	case "redis":
		return askRedis, true
	case "greeting":
		return "", true
	case "":
	default:
		return name, true
	}
	_, port, _ := net.SplitHostPort(upstream)
	switch port {
	case "5432", "5433", "6432":
		return askPostgres, false
	case "6379":
		return askRedis, false
	}
	return askHTTP, false
}

// How a connection stood when nobody asked any more.
const (
	stayed  = "open"
	closed  = "closed"
	reset   = "reset"
	refused = "refused"
	failed  = "failed"
)

// answer is what came of a question on a connection of its own.
type answer struct {
	// First is when the first byte came, counted from the question, and All when the last one was there; both only if Bytes is above zero.
	First time.Duration `json:"first_ns,omitempty"`
	All   time.Duration `json:"all_ns,omitempty"`
	Bytes int           `json:"bytes,omitempty"`
	// End is how the connection stood in the end, After how long that took since the answer.
	End   string        `json:"end,omitempty"`
	After time.Duration `json:"after_ns,omitempty"`
	err   error
}

// ask connects, sends and reads until want bytes are there; 0 waits until nothing more comes. When hangUp is set it then says
// that it has nothing more to send and waits for the end of the connection.
func ask(ctx context.Context, address, text string, want int, wait time.Duration, hangUp bool) answer {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return answer{End: ending(err), err: err}
	}
	defer c.Close()
	end, _ := ctx.Deadline()
	_ = c.SetDeadline(end)
	began := time.Now()
	if text != "" {
		if _, err := io.WriteString(c, text); err != nil {
			return answer{End: ending(err), err: err}
		}
	}
	a := read(c, began, want, end)
	if a.err != nil || !hangUp {
		return a
	}
	done := time.Now()
	if tcp, ok := c.(*net.TCPConn); ok && a.End == stayed {
		_ = tcp.CloseWrite()
	}
	_ = c.SetReadDeadline(end)
	_, err = io.Copy(io.Discard, c)
	a.After, a.End, a.err = time.Since(done), closed, err
	if err != nil {
		a.End = ending(err)
	}
	return a
}

// read reads an answer.
func read(c net.Conn, began time.Time, want int, end time.Time) answer {
	a := answer{End: stayed}
	buf := make([]byte, 16<<10)
	for a.Bytes < most && (want == 0 || a.Bytes < want) {
		if want == 0 && a.Bytes > 0 {
			_ = c.SetReadDeadline(earlier(end, time.Now().Add(quiet)))
		}
		n, err := c.Read(buf)
		if n > 0 {
			a.All = time.Since(began)
			if a.Bytes == 0 {
				a.First = a.All
			}
			a.Bytes += n
		}
		if err == nil {
			continue
		}
		a.After = time.Since(began) - a.All
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() && a.Bytes > 0 && want == 0 {
			return a
		}
		a.End = ending(err)
		if !errors.Is(err, io.EOF) || a.Bytes == 0 {
			a.err = err
		}
		return a
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func ending(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return reset
	case errors.Is(err, io.EOF):
		return closed
	case errors.As(err, &timeout) && timeout.Timeout():
		return stayed
	}
	return failed
}

// before asks the dependency when nothing is broken yet. A dependency that does not answer now cannot be seen to be lost.
func before(ctx context.Context, name, upstream, address string) (string, answer, error) {
	text, sure := question(name, upstream)
	if !sure {
		if a := ask(ctx, address, "", 1, listenFirst, false); a.Bytes > 0 {
			text = ""
		}
	}
	a := ask(ctx, address, text, 0, patience, false)
	switch {
	case a.End == refused:
		return "", a, fmt.Errorf("nothing listens at %s: a dependency that is lost already cannot be seen to be lost", address)
	case a.Bytes == 0 && a.err != nil && a.End != closed && a.End != stayed:
		return "", a, fmt.Errorf("ask %s: %w", address, a.err)
	case a.Bytes == 0:
		return "", a, fmt.Errorf("%s does not answer %s: say in ping what it answers to: http, postgres, redis, greeting (it speaks first), or a text of your own", address, named(text))
	}
	return text, a, nil
}

func named(text string) string {
	switch text {
	case askHTTP:
		return "a question in HTTP"
	case askPostgres:
		return "a question of PostgreSQL"
	case askRedis:
		return "a PING of Redis"
	case "":
		return "with a greeting"
	}
	return fmt.Sprintf("%q", strings.TrimSpace(text))
}
