package dns_test

import (
	"testing"
	"time"

	"github.com/belay-dr/belay/fault/dns"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

func TestConformance(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	for name, answer := range map[string]any{"nxdomain": "nxdomain", "address": object{"address": "192.0.2.1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, func(t testing.TB) faulttest.Rig { return rig(t, answer) })
		})
	}
}

func rig(t testing.TB, answer any) faulttest.Rig {
	w := newWorld(t)
	return faulttest.Rig{
		Kinds: dns.Kinds(),
		Spec: faulttest.Spec(t, object{"dns": object{
			"names": []string{"db.example.test"}, "answer": answer, "netns": w.here.Name,
		}}),
		Broken: func() bool {
			var got string
			var err error
			for range 3 { // a question that was asked in the moment of the change may be lost
				if got, _, err = w.a("udp", "db.example.test.", 250*time.Millisecond); err == nil {
					break
				}
			}
			return err != nil || got != "NOERROR 10.77.0.100"
		},
		Remove:     func() { nettest.Run(t, "ip", "netns", "del", w.here.Name) },
		KernelEnds: true,
	}
}
