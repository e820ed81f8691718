//go:build linux

package shape

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// slow is how long a round trip takes at least while the rig's fault is there.
const slow = 60 * time.Millisecond

// lineRig delays a service, and looks with a client of its own.
func lineRig(engine Engine, direction filter.Direction) func(t testing.TB) faulttest.Rig {
	return func(t testing.TB) faulttest.Rig {
		here, there := echoes(t)
		client := dial(t, here, "10.77.0.2:7000")
		return faulttest.Rig{
			Kinds: kindsForTests(),
			Spec: faulttest.Spec(t, map[string]any{"line": line{
				Netns: here.Name, To: []string{"10.77.0.2:7000"}, Direction: direction, Engine: engine, Spec: Spec{Delay: slow},
			}}),
			Broken: func() bool {
				// What was held when the holder died is lost with it: ask again, and believe the fastest answer.
				for range 3 {
					began := time.Now()
					_ = client.SetDeadline(began.Add(slow))
					b := make([]byte, 100)
					word := []byte(began.String())
					if _, err := client.Write(word); err != nil {
						continue
					}
					for {
						n, err := client.Read(b)
						if err != nil {
							break
						}
						if bytes.Equal(b[:n], word) {
							if time.Since(began) < slow*3/4 {
								return false
							}
							break
						}
					}
				}
				return true
			},
			Remove: func() {
				nettest.Run(t, "ip", "netns", "del", here.Name)
				nettest.Run(t, "ip", "netns", "del", there.Name)
			},
			KernelEnds: engine == Queue,
		}
	}
}

// decode reads a spec back.
func decode(t testing.TB, s fault.Spec, into any) {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	for _, direction := range []filter.Direction{filter.Out, filter.In} {
		t.Run(string(direction), func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, lineRig(Queue, direction))
		})
	}
}
