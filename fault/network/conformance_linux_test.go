package network

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/nettest"
)

// kinds are those of the package, and one that cannot use owner tables.
func kinds() fault.Kinds {
	return fault.Together(Kinds(), fault.Kinds{
		"network_plain": func() fault.Config { return &Network{only: byPlain} },
	})
}

func TestMain(m *testing.M) { faulttest.Main(m, kinds(), nil) }

type object = map[string]any

func TestConformance(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	for name, rig := range map[string]func(testing.TB) faulttest.Rig{
		"partition": func(t testing.TB) faulttest.Rig {
			return cutRig(t, "network", "tcp", "10.77.0.2:7", object{"partition": []string{"10.77.0.2:7"}})
		},
		"partition/reject": func(t testing.TB) faulttest.Rig {
			return cutRig(t, "network", "tcp", "[fd77::2]:7", object{"partition": object{"to": []string{"fd77::2"}, "how": "reject"}})
		},
		"partition/plain": func(t testing.TB) faulttest.Rig {
			r := cutRig(t, "network_plain", "udp", "10.77.0.2:7", object{"partition": []string{"10.77.0.2"}})
			r.KernelEnds = false
			return r
		},
		"blackhole": routeRig,
		"reset": func(t testing.TB) faulttest.Rig {
			return cutRig(t, "network", "tcp", "10.77.0.2:7", object{"reset": "10.77.0.2:7"})
		},
		"reset/once": onceRig,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}

// cutRig is a pair of which one side is cut off from the echo of the other.
func cutRig(t testing.TB, kind, network, address string, config object) faulttest.Rig {
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	config["netns"] = here.Name
	return faulttest.Rig{
		Kinds:      kinds(),
		Spec:       faulttest.Spec(t, object{kind: config}),
		Broken:     func() bool { return broken(here, network, address) },
		Remove:     func() { _ = exec.Command("ip", "netns", "del", here.Name).Run() },
		KernelEnds: true,
	}
}

// broken says that several new connections had no answer, so that a slow machine is not taken for a cut.
func broken(here nettest.Side, network, address string) bool {
	for _, bound := range []time.Duration{100, 200, 400} {
		if here.Answers(network, address, bound*time.Millisecond) {
			return false
		}
	}
	return true
}

// routeRig lets the recovery replace our route by its own.
func routeRig(t testing.TB) faulttest.Rig {
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	r := faulttest.Rig{
		Kinds:  kinds(),
		Spec:   faulttest.Spec(t, object{"network": object{"blackhole": "10.77.0.2", "netns": here.Name}}),
		Broken: func() bool { return broken(here, "tcp", "10.77.0.2:7") },
		Remove: func() { _ = exec.Command("ip", "netns", "del", here.Name).Run() },
	}
	r.Change = func() {
		nettest.Run(t, "ip", "-n", here.Name, "route", "del", "blackhole", "10.77.0.2")
		nettest.Run(t, "ip", "-n", here.Name, "route", "add", "10.77.0.2", "dev", "wire", "metric", "5")
	}
	r.Intact = func() bool {
		return nettest.Run(t, "ip", "-n", here.Name, "route", "show", "10.77.0.2") == "10.77.0.2 dev wire scope link metric 5 \n"
	}
	return r
}

// onceRig is a connection that is reset and stays so.
func onceRig(t testing.TB) faulttest.Rig {
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	var c net.Conn
	c, err := here.Dial("tcp", "10.77.0.2:7", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return faulttest.Rig{
		Kinds:   kinds(),
		Spec:    faulttest.Spec(t, object{"network": object{"reset": object{"to": []string{"10.77.0.2:7"}, "once": true}, "netns": here.Name}}),
		Broken:  func() bool { return !nettest.Echoes(c, 5*time.Second) },
		Remove:  func() { _ = exec.Command("ip", "netns", "del", here.Name).Run() },
		OneShot: true,
	}
}
