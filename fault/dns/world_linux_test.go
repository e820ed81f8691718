package dns_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/belay-dr/belay/fault/dns"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

func TestMain(m *testing.M) { faulttest.Main(m, dns.Kinds(), nil) }

type object = map[string]any

// world is a namespace whose name server is on the other end of a wire.
type world struct {
	here, there nettest.Side
}

// newWorld makes one. Its resolv.conf is where `ip netns exec` looks for it.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{}
	w.here, w.there = nettest.Pair(t)
	w.resolv(t, w.there.IPv4)
	w.there.In(t, func() error {
		for _, host := range []string{w.there.IPv4, w.there.IPv6} {
			if err := w.serve(t, net.JoinHostPort(host, "53")); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *world) resolv(t testing.TB, servers ...string) {
	t.Helper()
	dir := filepath.Join("/etc/netns", w.here.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir); _ = os.Remove("/etc/netns") }) // the latter only when nobody else has one
	text := "# for a test\noptions timeout:1\n"
	for _, s := range servers {
		text += "nameserver " + s + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "resolv.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve is a real name server at an address of this thread's namespace.
func (w *world) serve(t testing.TB, address string) error {
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for _, s := range []*miekg.Server{{PacketConn: u}, {Listener: l}} {
		s.Handler = miekg.HandlerFunc(w.answer)
		go func() { _ = s.ActivateAndServe() }()
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return nil
}

// zone is what the real server knows.
const zone = `
db.example.test.    60 IN A    10.77.0.100
db.example.test.    60 IN AAAA fd77::100
web.example.test.   60 IN A    10.77.0.101
api.svc.            60 IN A    10.77.0.102
deep.api.svc.       60 IN A    10.77.0.103
big.example.test.   60 IN TXT  "0123456789"
db.example.test.    60 IN TXT  "primary"
db.example.test.    60 IN HTTPS 1 . ipv4hint=10.77.0.100
`

func (w *world) answer(out miekg.ResponseWriter, q *miekg.Msg) {
	if len(q.Question) != 1 {
		_ = out.WriteMsg(new(miekg.Msg).SetRcodeFormatError(q))
		return
	}
	ask := q.Question[0]
	a := new(miekg.Msg).SetReply(q)
	known := false
	for z := miekg.NewZoneParser(strings.NewReader(zone), "", ""); ; {
		rr, ok := z.Next()
		if !ok {
			break
		}
		if !strings.EqualFold(rr.Header().Name, ask.Name) {
			continue
		}
		known = true
		if rr.Header().Rrtype == ask.Qtype {
			rr.Header().Name = ask.Name
			a.Answer = append(a.Answer, rr)
		}
	}
	if !known {
		a.Rcode = miekg.RcodeNameError
	}
	if strings.HasPrefix(ask.Name, "big.") && ask.Qtype == miekg.TypeTXT {
		if out.RemoteAddr().Network() == "udp" {
			a.Answer, a.Truncated = nil, true
		} else {
			for n := range 200 {
				a.Answer = append(a.Answer, &miekg.TXT{
					Hdr: miekg.RR_Header{Name: ask.Name, Rrtype: miekg.TypeTXT, Class: miekg.ClassINET, Ttl: 1},
					Txt: []string{fmt.Sprintf("%0100d", n)},
				})
			}
		}
	}
	if e := q.IsEdns0(); e != nil {
		a.SetEdns0(4096, e.Do())
		for _, o := range e.Option { // what came must have come as it was
			a.IsEdns0().Option = append(a.IsEdns0().Option, o)
		}
	}
	_ = out.WriteMsg(a)
}

// ask is one question from the namespace, with eyes of its own.
func (w *world) ask(network, server string, q *miekg.Msg, bound time.Duration) (*miekg.Msg, time.Duration, error) {
	began := time.Now()
	c, err := w.here.Dial(network, net.JoinHostPort(server, "53"), bound)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(bound))
	conn := &miekg.Conn{Conn: c, UDPSize: 65535}
	if err := conn.WriteMsg(q); err != nil {
		return nil, 0, err
	}
	a, err := conn.ReadMsg()
	return a, time.Since(began), err
}

// a asks for an address.
func (w *world) a(network, name string, bound time.Duration) (string, time.Duration, error) {
	m, took, err := w.ask(network, w.there.IPv4, new(miekg.Msg).SetQuestion(name, miekg.TypeA), bound)
	if err != nil {
		return "", took, err
	}
	out := miekg.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		if a, ok := rr.(*miekg.A); ok {
			out += " " + a.A.String()
		}
	}
	return out, took, nil
}

// lookup is Go's resolver in the namespace.
func (w *world) lookup(name string, bound time.Duration) ([]netip.Addr, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	r := net.Resolver{PreferGo: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		return w.here.Dial(network, net.JoinHostPort(w.there.IPv4, "53"), bound)
	}}
	began := time.Now()
	got, err := r.LookupNetIP(ctx, "ip", name)
	for n := range got {
		got[n] = got[n].Unmap()
	}
	slices.SortFunc(got, netip.Addr.Compare)
	return got, time.Since(began), err
}
