package dns_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/dns"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/network/nft"
)

// held makes a fault in this process, confirms it and returns what was seen.
func held(t *testing.T, w *world, config object) (seen string, revert func()) {
	t.Helper()
	config["netns"] = w.here.Name
	target, err := dns.Kinds().Decode(faulttest.Spec(t, object{"dns": config}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	over := false
	revert = func() {
		if over {
			return
		}
		over = true
		if _, err := target.Revert(context.WithoutCancel(t.Context()), undo, save); err != nil {
			t.Error(err)
		}
		if left, err := target.Residue(context.WithoutCancel(t.Context()), undo); err != nil || len(left) > 0 {
			t.Errorf("residue: %v, %v", left, err)
		}
	}
	t.Cleanup(revert)
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	if left, err := target.Residue(t.Context(), undo); err != nil || len(left) == 0 {
		t.Errorf("while it is held: residue %v, %v", left, err)
	}
	if seen, err = target.Confirm(t.Context(), undo); err != nil {
		t.Fatal(err)
	}
	return seen, revert
}

// TestEffects makes each of them and looks with Go's resolver, and by UDP and TCP.
func TestEffects(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	right := []netip.Addr{netip.MustParseAddr("10.77.0.100"), netip.MustParseAddr("fd77::100")}
	for _, c := range []struct {
		name   string
		answer any
		seen   string
		there  func(got []netip.Addr, took time.Duration, err error) bool
		plain  string // the answer to A by UDP and TCP; empty is none
	}{
		{"nxdomain", "nxdomain", "db.example.test is not found", func(_ []netip.Addr, _ time.Duration, err error) bool {
			var e *net.DNSError
			return errors.As(err, &e) && e.IsNotFound
		}, "NXDOMAIN"},
		{"servfail", "servfail", "db.example.test: server misbehaving", func(_ []netip.Addr, _ time.Duration, err error) bool {
			var e *net.DNSError
			return errors.As(err, &e) && e.IsTemporary && !e.IsNotFound
		}, "SERVFAIL"},
		{"silent", "silent", "db.example.test: no answer for", func(_ []netip.Addr, _ time.Duration, err error) bool {
			var e *net.DNSError
			return errors.As(err, &e) && e.IsTimeout
		}, ""},
		{"address", object{"address": "192.0.2.1"}, "db.example.test has the address 192.0.2.1", func(got []netip.Addr, _ time.Duration, err error) bool {
			return err == nil && slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.1")})
		}, "NOERROR 192.0.2.1"},
		{"addresses", object{"address": []string{"192.0.2.1", "2001:db8::1"}}, "db.example.test has the address 192.0.2.1, 2001:db8::1", func(got []netip.Addr, _ time.Duration, err error) bool {
			return err == nil && slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")})
		}, "NOERROR 192.0.2.1"},
		{"slow", object{"slow": "300ms"}, "db.example.test is answered after", func(got []netip.Addr, took time.Duration, err error) bool {
			return err == nil && took >= 300*time.Millisecond && slices.Equal(got, right)
		}, "NOERROR 10.77.0.100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			seen, revert := held(t, w, object{"names": []string{"DB.example.test.", "*.svc"}, "answer": c.answer})
			if !strings.HasPrefix(seen, c.seen) || !strings.Contains(seen, "; before, it was answered after ") || !strings.Contains(seen, "; other names are answered after ") {
				t.Errorf("seen: %s", seen)
			}
			if got, took, err := w.lookup("db.example.test.", 2*time.Second); !c.there(got, took, err) {
				t.Errorf("resolver: %v after %s, %v", got, took, err)
			}
			for _, network := range []string{"udp", "tcp"} {
				for _, name := range []string{"db.example.test.", "dB.eXample.test."} {
					if got, _, err := w.a(network, name, 600*time.Millisecond); got != c.plain || (err == nil) != (c.plain != "") {
						t.Errorf("%s %s: %q, %v", network, name, got, err)
					}
				}
				for name, want := range map[string]string{"web.example.test.": "NOERROR 10.77.0.101", "svc.": "NXDOMAIN", "nothing.test.": "NXDOMAIN"} {
					if got, took, err := w.a(network, name, 2*time.Second); err != nil || got != want || took > 200*time.Millisecond {
						t.Errorf("%s %s: %q after %s, %v", network, name, got, took, err)
					}
				}
			}
			if got, _, err := w.a("udp", "deep.api.svc.", 600*time.Millisecond); err == nil && got == "NOERROR 10.77.0.103" && c.name != "slow" {
				t.Error("a name below the pattern is answered as ever")
			}
			revert()
			if got, took, err := w.lookup("db.example.test.", 2*time.Second); err != nil || !slices.Equal(got, right) || took > 200*time.Millisecond {
				t.Errorf("afterwards: %v after %s, %v", got, took, err)
			}
		})
	}
}

// TestUnchanged passes other questions on byte by byte, and what is about the failing names in another way.
func TestUnchanged(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	_, revert := held(t, w, object{"names": []string{"db.example.test"}, "answer": object{"address": "192.0.2.1"}})
	defer revert()
	q := new(miekg.Msg).SetQuestion("web.example.test.", miekg.TypeA)
	q.SetEdns0(1400, true)
	cookie := &miekg.EDNS0_COOKIE{Code: miekg.EDNS0COOKIE, Cookie: "0123456789abcdef"}
	q.IsEdns0().Option = append(q.IsEdns0().Option, cookie, &miekg.EDNS0_LOCAL{Code: 65001, Data: []byte("kept")})
	for _, network := range []string{"udp", "tcp"} {
		a, _, err := w.ask(network, w.there.IPv4, q, 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if e := a.IsEdns0(); e == nil || !e.Do() || e.UDPSize() != 4096 || len(e.Option) != 2 || e.Option[0].String() != cookie.String() || e.Option[1].String() != "65001:0x6b657074" {
			t.Errorf("%s: EDNS did not come back as it was: %s", network, a)
		}
	}
	// A long answer is cut by UDP, and whole by TCP.
	big := new(miekg.Msg).SetQuestion("big.example.test.", miekg.TypeTXT)
	if a, _, err := w.ask("udp", w.there.IPv4, big, 2*time.Second); err != nil || !a.Truncated {
		t.Errorf("a long answer by UDP: %v, %v", a, err)
	}
	if a, _, err := w.ask("tcp", w.there.IPv4, big, 2*time.Second); err != nil || len(a.Answer) < 200 {
		t.Errorf("a long answer by TCP: %v", err)
	}
	if a, _, err := w.ask("udp", w.there.IPv6, new(miekg.Msg).SetQuestion("db.example.test.", miekg.TypeA), 2*time.Second); err != nil || len(a.Answer) != 1 || !strings.HasSuffix(a.Answer[0].String(), "192.0.2.1") {
		t.Errorf("by IPv6: %v, %v", a, err)
	}
	for kind, want := range map[uint16]int{miekg.TypeTXT: 1, miekg.TypeHTTPS: 0, miekg.TypeAAAA: 0} {
		a, _, err := w.ask("udp", w.there.IPv4, new(miekg.Msg).SetQuestion("db.example.test.", kind), 2*time.Second)
		if err != nil || a.Rcode != miekg.RcodeSuccess || len(a.Answer) != want {
			t.Errorf("%s: %v, %v; want %d answers", miekg.TypeToString[kind], a, err, want)
		}
	}
	if a, _, err := w.ask("udp", w.there.IPv4, new(miekg.Msg).SetQuestion("db.example.test.", miekg.TypeA), 2*time.Second); err != nil || a.Answer[0].Header().Ttl != 1 {
		t.Errorf("a wrong address may be kept: %v, %v", a, err)
	}
}

// TestPipelined asks several questions on one TCP connection, and gets an answer to each.
func TestPipelined(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	_, revert := held(t, w, object{"names": []string{"db.example.test"}, "answer": "nxdomain"})
	defer revert()
	c, err := w.here.Dial("tcp", net.JoinHostPort(w.there.IPv4, "53"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	conn := &miekg.Conn{Conn: c}
	want := map[uint16]int{}
	for n, name := range []string{"web.example.test.", "db.example.test.", "api.svc.", "db.example.test."} {
		q := new(miekg.Msg).SetQuestion(name, miekg.TypeA)
		q.Id = uint16(n)
		want[q.Id] = miekg.RcodeSuccess
		if strings.HasPrefix(name, "db.") {
			want[q.Id] = miekg.RcodeNameError
		}
		if err := conn.WriteMsg(q); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		a, err := conn.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		if rcode, ok := want[a.Id]; !ok || rcode != a.Rcode {
			t.Errorf("answer %d is %s", a.Id, miekg.RcodeToString[a.Rcode])
		}
		delete(want, a.Id)
	}
}

// TestOneSocket is a client that asks from one port all the time: it must notice the fault, and its end.
func TestOneSocket(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	// Somebody else's translation keeps the kernel translating what it remembers.
	others := nft.Table{Name: "others", Family: nft.Inet, Chains: []nft.Chain{{
		Name: "out", NAT: true, Hook: nft.Output,
		Rules: []nft.Rule{{Exprs: slices.Concat(nft.Protocol(unix.IPPROTO_TCP), nft.Port(9, true), nft.Redirect(10))}},
	}}}
	if err := nft.Make(w.here.Ref, others); err != nil {
		t.Fatal(err)
	}
	c, err := w.here.Dial("udp", net.JoinHostPort(w.there.IPv4, "53"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := &miekg.Conn{Conn: c}
	ask := func() string {
		for range 3 {
			_ = c.SetDeadline(time.Now().Add(500 * time.Millisecond))
			q := new(miekg.Msg).SetQuestion("db.example.test.", miekg.TypeA)
			if err := conn.WriteMsg(q); err != nil {
				continue
			}
			if a, err := conn.ReadMsg(); err == nil && a.Id == q.Id {
				return miekg.RcodeToString[a.Rcode]
			}
		}
		return "nothing"
	}
	if got := ask(); got != "NOERROR" {
		t.Fatalf("before: %s", got)
	}
	_, revert := held(t, w, object{"names": []string{"db.example.test"}, "answer": "nxdomain"})
	if got := ask(); got != "NXDOMAIN" {
		t.Errorf("while it is held: %s", got)
	}
	revert()
	if got := ask(); got != "NOERROR" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestLocalResolver has a resolver on the loopback, as many machines do. It asks the real server itself, and must not be asked its own questions.
func TestLocalResolver(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	w.resolv(t, "127.0.0.53")
	w.here.In(t, func() error {
		u, err := net.ListenPacket("udp", "127.0.0.53:53")
		if err != nil {
			return err
		}
		s := &miekg.Server{PacketConn: u, Handler: miekg.HandlerFunc(func(out miekg.ResponseWriter, q *miekg.Msg) {
			a, _, err := w.ask("udp", w.there.IPv4, q, time.Second)
			if err == nil {
				_ = out.WriteMsg(a)
			}
		})}
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
		return nil
	})
	ask := func(name string) string {
		a, _, err := w.ask("udp", "127.0.0.53", new(miekg.Msg).SetQuestion(name, miekg.TypeA), time.Second)
		if err != nil {
			return err.Error()
		}
		return miekg.RcodeToString[a.Rcode]
	}
	_, revert := held(t, w, object{"names": []string{"db.example.test"}, "answer": "nxdomain"})
	for name, want := range map[string]string{"db.example.test.": "NXDOMAIN", "web.example.test.": "NOERROR", "api.svc.": "NOERROR"} {
		if got := ask(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	revert()
	if got := ask("db.example.test."); got != "NOERROR" {
		t.Errorf("afterwards: %s", got)
	}
}

// TestProcess finds the namespace by a process in it.
func TestProcess(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	cmd := exec.Command("ip", "netns", "exec", w.here.Name, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	config := object{"names": []string{"db.example.test"}, "answer": "servfail", "pid": cmd.Process.Pid}
	var p fault.Plan
	var err error
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		target, derr := dns.Kinds().Decode(faulttest.Spec(t, object{"dns": config}))
		if derr != nil {
			t.Fatal(derr)
		}
		p, err = target.Plan(t.Context(), fault.Ask{ID: "f1"})
		if err == nil || time.Now().After(end) { // `ip` needs a moment to get there
			break
		}
	}
	want := fmt.Sprintf("DNS for db.example.test in the network namespace of process %d", cmd.Process.Pid)
	if err != nil || p.Target != want || len(p.Radius) != 1 || !strings.HasPrefix(p.Radius[0], "1 processes in ") {
		t.Errorf("target %q, radius %q, %v", p.Target, p.Radius, err)
	}
}
