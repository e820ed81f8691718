package nettest

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/belay-dr/belay/fault/netns"
)

// Side is one end of a wire.
type Side struct {
	// Name is that of the network namespace, as `ip netns` knows it, and Device that of the end of the wire.
	Name, Device string
	// IPv4 and IPv6 are its addresses.
	IPv4, IPv6 string
	Ref        netns.Ref
}

// Root says whether networks can be made here. In CI they must be.
func Root(t testing.TB) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("network namespaces need root, and CI must have it")
	}
	t.Logf("NOT TESTED: network namespaces need root")
	return false
}

// Pair makes two namespaces and a wire between them: 10.77.0.1 and fd77::1 here, 10.77.0.2 and fd77::2 there. Each pair is a
// world of its own, so that many may exist with the same addresses.
func Pair(t testing.TB) (here, there Side) {
	t.Helper()
	id := strings.ToLower(rand.Text()[:8])
	here = Side{Name: "belay-net-" + id + "a", Device: "wire", IPv4: "10.77.0.1", IPv6: "fd77::1"}
	there = Side{Name: "belay-net-" + id + "b", Device: "wire", IPv4: "10.77.0.2", IPv6: "fd77::2"}
	for _, s := range []*Side{&here, &there} {
		Run(t, "ip", "netns", "add", s.Name)
		name := s.Name
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		ref, err := netns.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Ref = ref
		Run(t, "ip", "-n", name, "link", "set", "lo", "up")
	}
	const hereMAC, thereMAC = "02:77:00:00:00:01", "02:77:00:00:00:02"
	Run(t, "ip", "link", "add", "wire", "address", hereMAC, "netns", here.Name,
		"type", "veth", "peer", "name", "wire", "address", thereMAC, "netns", there.Name)
	for _, s := range []Side{here, there} {
		Run(t, "ip", "-n", s.Name, "address", "add", s.IPv4+"/24", "dev", "wire")
		Run(t, "ip", "-n", s.Name, "-6", "address", "add", s.IPv6+"/64", "dev", "wire", "nodad")
		Run(t, "ip", "-n", s.Name, "link", "set", "wire", "up")
	}
	// The first question for a neighbour on a new wire is lost, and the next one comes a second later.
	Run(t, "ip", "-n", here.Name, "neighbour", "add", there.IPv6, "lladdr", thereMAC, "dev", "wire", "nud", "permanent")
	Run(t, "ip", "-n", there.Name, "neighbour", "add", here.IPv6, "lladdr", hereMAC, "dev", "wire", "nud", "permanent")
	return here, there
}

// Run runs a command that must succeed and returns what it says.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// In runs f on a thread inside the namespace.
func (s Side) In(t testing.TB, f func() error) {
	t.Helper()
	if err := s.Ref.Do(f); err != nil {
		t.Fatal(fmt.Errorf("in %s: %w", s.Name, err))
	}
}
