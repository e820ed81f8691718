package dns_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	miekg "github.com/miekg/dns"

	"github.com/belay-dr/belay/fault/network/nettest"
)

// TestGarbage throws whatever may come at the holder's server, and then asks it as if nothing had happened.
func TestGarbage(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	w := newWorld(t)
	_, revert := held(t, w, object{"names": []string{"db.example.test"}, "answer": "nxdomain"})
	defer revert()
	chance := rand.New(rand.NewPCG(1, 2))
	good, err := new(miekg.Msg).SetQuestion("db.example.test.", miekg.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	packet := func() []byte {
		b := append([]byte(nil), good...)
		switch chance.IntN(4) {
		case 0:
			b = make([]byte, chance.IntN(2000))
			for n := range b {
				b[n] = byte(chance.Uint32())
			}
		case 1:
			b = b[:chance.IntN(len(b))]
		default:
			for range 1 + chance.IntN(5) {
				b[chance.IntN(len(b))] = byte(chance.Uint32())
			}
		}
		return b
	}
	server := net.JoinHostPort(w.there.IPv4, "53")
	u, err := w.here.Dial("udp", server, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for range 300 {
		_, _ = u.Write(packet())
	}
	for range 50 {
		c, err := w.here.Dial("tcp", server, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		b := packet()
		size := len(b) + chance.IntN(3) - 1 // too little, right, or more than comes
		_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(max(0, size))), b...))
		c.Close()
	}
	for _, network := range []string{"udp", "tcp"} {
		for name, want := range map[string]string{"db.example.test.": "NXDOMAIN", "web.example.test.": "NOERROR 10.77.0.101"} {
			if got, _, err := w.a(network, name, 5*time.Second); err != nil || got != want {
				t.Errorf("%s %s: %q, %v", network, name, got, err)
			}
		}
	}
	began := time.Now()
	revert() // also what still waits for an answer ends now
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s to end", took)
	}
}
