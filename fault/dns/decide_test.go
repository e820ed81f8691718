package dns

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// FuzzDecide never fails on a packet, and never answers what it was not asked.
func FuzzDecide(f *testing.F) {
	for _, q := range []*dns.Msg{
		new(dns.Msg).SetQuestion("db.example.test.", dns.TypeA),
		new(dns.Msg).SetQuestion("x.svc.", dns.TypeHTTPS).SetEdns0(1232, true),
		new(dns.Msg).SetUpdate("example.test."),
		new(dns.Msg).SetNotify("example.test."),
		new(dns.Msg).SetAxfr("svc."),
	} {
		b, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		for kind := range 4 {
			f.Add(b, uint8(kind))
		}
	}
	f.Add([]byte{}, uint8(0))
	f.Add([]byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, uint8(1)) // a name that points to itself
	all := []Answer{{Code: unknown}, {Code: servfail}, {Code: silent}, {Address: Addresses{"192.0.2.1", "2001:db8::1"}}, {Slow: "1ms"}}
	f.Fuzz(func(t *testing.T, packet []byte, kind uint8) {
		d := DNS{Names: []string{"db.example.test", "*.svc"}, Answer: all[int(kind)%len(all)]}
		before := bytes.Clone(packet)
		what, b := d.rules().decide(packet)
		if !bytes.Equal(before, packet) {
			t.Fatal("the packet was changed")
		}
		if (what == reply) != (b != nil) {
			t.Fatalf("verdict %d with %d bytes", what, len(b))
		}
		if what == pass {
			return
		}
		var q, a dns.Msg
		if err := q.Unpack(packet); err != nil || !d.covers(strings.ToLower(q.Question[0].Name)) {
			t.Fatalf("not one of the names: %v", err)
		}
		if what != reply {
			return
		}
		if err := a.Unpack(b); err != nil || a.Id != q.Id || !a.Response || len(a.Question) != 1 || a.Question[0] != q.Question[0] {
			t.Fatalf("an answer to something else: %v\n%s\n%s", err, &q, &a)
		}
	})
}

// TestCovers is about names, with any letters and dots.
func TestCovers(t *testing.T) {
	part := rapid.StringMatching(`[a-z0-9]{1,8}`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(part, 1, 5).Draw(t, "parts")
		name := strings.Join(parts, ".")
		for n := range parts {
			below := strings.Join(parts[n:], ".")
			p, err := parsePattern("*." + strings.ToUpper(below))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := covers([]pattern{p}, name+"."), n > 0; got != want {
				t.Errorf("*.%s covers %s: %v", below, name, got)
			}
			if covers([]pattern{p}, "x"+name+".") != (n > 0) {
				t.Errorf("*.%s and x%s", below, name)
			}
		}
		p, err := parsePattern(name + ".")
		if err != nil || !covers([]pattern{p}, name+".") || covers([]pattern{p}, "x."+name+".") || covers([]pattern{p}, "x"+name+".") {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// TestFiles reads what every resolver reads.
func TestFiles(t *testing.T) {
	got := servers([]byte("# nameserver 1.1.1.1\nsearch a b\nnameserver 10.0.0.2\n nameserver fe80::1%eth0 # x\nnameserver\nnameserver words\nnameserver ::1\nnameserver 10.0.0.4\n"))
	want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:53"), netip.MustParseAddrPort("[fe80::1%eth0]:53"), netip.MustParseAddrPort("[::1]:53")}
	if !slices.Equal(got, want) {
		t.Errorf("servers: %v", got)
	}
	hosts := []byte("127.0.0.1 localhost\n10.0.0.1\tDB.example.test db # cache\n")
	for name, want := range map[string]bool{"db.": true, "db.example.test.": true, "cache.": false, "10.0.0.1.": false, "localhost.": true, "b.": false} {
		if hosted(hosts, name) != want {
			t.Errorf("hosted %s: %v", name, !want)
		}
	}
}

// TestRulesOfConfig reads times and addresses once.
func TestRulesOfConfig(t *testing.T) {
	d := DNS{Names: []string{"a"}, Answer: Answer{Slow: "300ms"}}
	if r := d.rules(); r.slow != 300*time.Millisecond || len(r.names) != 1 {
		t.Errorf("%+v", r)
	}
}
