package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/proxy"
)

// held makes a fault in this process, confirms it and returns what was seen. It is taken back when the test ends.
func held(t *testing.T, config object) (seen string, revert func() fault.Outcome) {
	t.Helper()
	target, err := proxy.Kinds().Decode(faulttest.Spec(t, object{"proxy": config}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f7", Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	over := false
	revert = func() fault.Outcome {
		over = true
		out, err := target.Revert(t.Context(), undo, save)
		if err != nil {
			t.Fatal(err)
		}
		if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
			t.Fatalf("residue: %v, %v", left, err)
		}
		return out
	}
	t.Cleanup(func() {
		if !over {
			_, _ = target.Revert(t.Context(), undo, save)
		}
	})
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) == 0 {
		t.Errorf("while it is held: residue %v, %v", left, err)
	}
	if seen, err = target.Confirm(t.Context(), undo); err != nil {
		t.Fatal(err)
	}
	return seen, revert
}

// TestEffects makes each effect in the holder's proxy and in a real server's, and looks with a client of its own.
func TestEffects(t *testing.T) {
	binary := buildServer(t)
	question := strings.Repeat("q", 4000)
	for _, c := range []struct {
		name   string
		effect object
		size   int
		// effect is there, as a client sees it.
		there func(address string) error
	}{
		{"delay down", object{"delay": "80ms"}, 10, later(80*time.Millisecond, 120*time.Millisecond)},
		{"delay both", object{"delay": "80ms", "stream": "both"}, 10, later(160*time.Millisecond, 220*time.Millisecond)},
		{"delay jitter", object{"delay": "80ms", "jitter": "20ms", "stream": "up"}, 10, later(60*time.Millisecond, 140*time.Millisecond)},
		{"reset", object{"reset": true}, 10, func(a string) error {
			if _, err := rtt(a); !isReset(err) {
				return fmt.Errorf("want a reset, got %v", err)
			}
			return nil
		}},
		{"rate down", object{"rate": "800kbit"}, 10000, takes(hello, 10000, 90*time.Millisecond)},
		{"rate up", object{"rate": "800kbit", "stream": "up", "ping": question}, 10, takes(question, 10, 35*time.Millisecond)},
		{"limit", object{"limit_bytes": 100}, 1000, func(a string) error {
			if n, err := talk(a, hello); n != 100 || err != io.EOF {
				return fmt.Errorf("%d bytes came, then %v", n, err)
			}
			return nil
		}},
		{"slow close", object{"slow_close": "300ms"}, 10, nil},
		{"timeout", object{"timeout": "500ms"}, 10, func(a string) error {
			began := time.Now()
			n, err := talk(a, hello)
			if took := time.Since(began); n != 0 || err != io.EOF || took < 450*time.Millisecond || took > time.Second {
				return fmt.Errorf("%d bytes came, then %v after %s", n, err, took)
			}
			return nil
		}},
		{"silence", object{"timeout": "0s"}, 10, func(a string) error {
			if n, err := talk(a, hello); n != 0 || err == io.EOF {
				return fmt.Errorf("%d bytes came, then %v", n, err)
			}
			return nil
		}},
	} {
		for _, where := range []string{"inside", "server"} {
			t.Run(c.name+" "+where, func(t *testing.T) {
				t.Parallel()
				upstream := dependency(t, c.size)
				config, address := object{"ping": hello}, port(t)
				if where == "inside" {
					config["listen"], config["upstream"] = address, upstream
				} else {
					s := serve(t, binary, upstream)
					address = s.listen
					config["server"], config["name"] = s.url, "db"
				}
				maps.Copy(config, c.effect)
				seen, revert := held(t, config)
				if !strings.Contains(seen, address) {
					t.Errorf("it was seen by %q, which does not say where", seen)
				}
				if c.there != nil {
					if err := c.there(address); err != nil {
						t.Error(err)
					}
				}
				if out := revert(); len(out.Superseded) > 0 {
					t.Errorf("superseded: %v", out.Superseded)
				}
				if took, err := rtt(address); where == "server" && (err != nil || took > 50*time.Millisecond) {
					t.Errorf("afterwards: %s, %v", took, err)
				} else if where == "inside" && !isRefused(err) {
					t.Errorf("afterwards: %v, want nobody there", err)
				}
			})
		}
	}
}

// later is the middle of several round trips within bounds.
func later(least, most time.Duration) func(string) error {
	return func(address string) error {
		for range 3 {
			took, err := rtt(address)
			if err != nil || took < least || took > most+500*time.Millisecond { // a busy machine is late, never early
				return fmt.Errorf("an answer came after %s, %v; want %s to %s", took, err, least, most)
			}
		}
		return nil
	}
}

// takes is the least time for a question and its whole answer.
func takes(question string, size int, least time.Duration) func(string) error {
	return func(address string) error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer c.Close()
		began := time.Now()
		if _, err := io.WriteString(c, question); err != nil {
			return err
		}
		_, err = io.ReadFull(c, make([]byte, size))
		if took := time.Since(began); err != nil || took < least {
			return fmt.Errorf("it took %s, %v; want at least %s", took, err, least)
		}
		return nil
	}
}

// talk asks and reads until the connection ends or a second has passed.
func talk(address, question string) (int, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, question); err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	n := 0
	for buf := make([]byte, 4096); ; {
		m, err := c.Read(buf)
		n += m
		if err != nil {
			return n, err
		}
	}
}

// TestFallBack is the way in which a proxy in the holder serves an application that also works without it: the dependency
// has two addresses, and is at the second.
func TestFallBack(t *testing.T) {
	upstream := dependency(t, 10)
	_, number, _ := net.SplitHostPort(upstream)
	first := "[::1]:" + number
	l, err := net.Listen("tcp", first)
	if err != nil && os.Getenv("CI") != "true" {
		t.Logf("NOT TESTED: this machine has no IPv6 loopback: %v", err)
		return
	} else if err != nil {
		t.Fatal(err)
	}
	l.Close()
	look := func(when string, least time.Duration) {
		t.Helper()
		took, err := rtt(first)
		if isRefused(err) { // what every client with two addresses does
			took, err = rtt(upstream)
		}
		if err != nil || took < least || least == 0 && took > 50*time.Millisecond {
			t.Errorf("%s: %s, %v", when, took, err)
		}
	}
	look("before", 0)
	_, revert := held(t, object{"listen": first, "upstream": upstream, "delay": "80ms", "ping": hello})
	look("while it is held", 80*time.Millisecond)
	revert()
	look("afterwards", 0)
}

// TestPings finds out by itself how common dependencies are asked.
func TestPings(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	greets, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer greets.Close()
	go func() {
		for {
			c, err := greets.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 ready\r\n")
			t.Cleanup(func() { c.Close() })
		}
	}()
	for name, upstream := range map[string]string{"http": web.Listener.Addr().String(), "greeting": greets.Addr().String()} {
		for _, ping := range []string{"", name} {
			seen, revert := held(t, object{"listen": port(t), "upstream": upstream, "delay": "50ms", "ping": ping})
			if !strings.HasPrefix(seen, "the answer from 127.0.0.1:") {
				t.Errorf("%s: %s", name, seen)
			}
			revert()
		}
	}
}
