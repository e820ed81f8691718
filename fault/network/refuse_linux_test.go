package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/network/nft"
)

// side is a namespace that a test made by itself.
func side(t *testing.T, name string) nettest.Side {
	t.Helper()
	ref, err := netns.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return nettest.Side{Name: name, Device: "wire", IPv4: "127.0.0.2", IPv6: "::1", Ref: ref}
}

// planned decodes and plans.
func planned(t *testing.T, config object) (fault.Plan, error) {
	t.Helper()
	target, err := kinds().Decode(faulttest.Spec(t, object{"network": config}))
	if err != nil {
		return fault.Plan{}, err
	}
	return target.Plan(t.Context(), fault.Ask{ID: "f1"})
}

// TestRefusals has one line for each thing that is refused before anything changes.
func TestRefusals(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	words := filepath.Join(t.TempDir(), "words")
	if err := os.WriteFile(words, []byte("no number"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(config object) object {
		config["netns"] = here.Name
		return config
	}
	to := func(action string, more object, peers ...string) object {
		more["to"] = peers
		return object{action: more}
	}
	nettest.Run(t, "ip", "-n", here.Name, "route", "add", "10.77.0.3", "dev", "wire")
	taken, err := nft.Open(here.Ref, nft.Table{Name: "belay-f1", Family: nft.Inet})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := planned(t, in(object{"partition": "10.77.0.2:7"})); err == nil || err.Error() != "nft table belay-f1 is there already in network namespace "+here.Name+": another process has it" {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	before := nettest.Run(t, "ip", "-n", here.Name, "route")
	for _, c := range []struct {
		config object
		want   string
	}{
		{in(object{"partition": "10.77.0.2:9"}), "nothing answers at 10.77.0.2:9, so its loss could not be seen: tcp 10.77.0.2:9 refuses connections; if it is a port of UDP, say protocol: udp"},
		{in(to("partition", object{"protocol": "tcp"}, "10.77.0.2:9")), "tcp 10.77.0.2:9 refuses connections"},
		{in(to("partition", object{"protocol": "udp"}, "10.77.0.2:9")), "nothing answers at 10.77.0.2:9, so its loss could not be seen: udp 10.77.0.2:9 refuses datagrams: nobody listens there"},
		{in(object{"reset": "10.77.0.2:9"}), "tcp 10.77.0.2:9 refuses connections"},
		{in(object{"partition": "10.77.0.66"}), "name a port that answers"},
		{in(object{"partition": "192.0.2.1:80"}), "nothing answers at 192.0.2.1:80, so its loss could not be seen: connect: network is unreachable"},
		{in(object{"partition": "192.0.2.0/24"}), "there is no way from network namespace " + here.Name + " to 192.0.2.0/24"},
		{in(object{"partition": "no-such-host.invalid:80"}), "no-such-host.invalid"},
		{in(object{"partition": "0.0.0.0/0"}), "0.0.0.0/0 is most of the Internet: say everything: true if that is meant"},
		{in(object{"partition": "2000::/3"}), "2000::/3 is most of the Internet"},
		{in(object{"partition": []string{"10.77.0.2:7", "10.77.0.4:7"}, "max": 1}), "the selectors stand for 2 hosts and max is 1"},
		{in(to("partition", object{"direction": "in"}, "10.77.0.0/24")), "nobody in 10.77.0.0/24 is known to answer, and only what comes in would be lost"},
		{in(to("reset", object{"once": true}, "10.77.0.2:7")), "there is no TCP connection to 10.77.0.2:7 now, so there is nothing to reset"},
		{in(object{"blackhole": "10.77.0.1"}), "10.77.0.1 is an address of network namespace " + here.Name + " itself, where no route can cut it off"},
		{in(object{"blackhole": "10.77.0.3"}), "has a route to exactly 10.77.0.3/32 already (by a device): take partition with how: drop"},
		{in(object{"blackhole": "192.0.2.1"}), "there is no way from network namespace " + here.Name + " to 192.0.2.1/32"},
		{object{"partition": "10.77.0.2:7", "netns": "belay-net-none"}, `no network namespace "belay-net-none"`},
		{object{"partition": "10.77.0.2:7", "pid": 1 << 22}, "process 4194304 does not run"},
		{object{"partition": "10.77.0.2:7", "pid_file": "/no/such"}, "read pid file: open /no/such: no such file or directory"},
		{object{"partition": "10.77.0.2:7", "pid_file": words}, "holds no process ID"},
	} {
		if _, err := planned(t, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v\nwant %s", c.config, err, c.want)
		}
	}
	if after := nettest.Run(t, "ip", "-n", here.Name, "route"); after != before {
		t.Errorf("a refusal changed routes: %s", after)
	}
	if tables, err := nft.Tables(here.Ref); err != nil || len(tables) > 0 {
		t.Errorf("a refusal left tables: %v, %v", tables, err)
	}
}

// TestRunnersPath is never cut unless that is said. It plans in the host's own network, and injects nothing.
func TestRunnersPath(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	address := l.Addr().String()
	want := fmt.Sprintf("it would cut what the runner itself needs: the TCP connection %s to %s of process %d: say even_runner: true if that is meant", c.LocalAddr(), address, os.Getpid())
	for _, action := range []string{"partition", "reset"} {
		if _, err := planned(t, object{action: address}); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", action, err, want)
		}
	}
	if _, err := planned(t, object{"delay": object{"to": []string{address}, "time": "1ms"}}); err == nil || err.Error() != want {
		t.Errorf("delay: %v", err)
	}
	if p, err := planned(t, object{"partition": address, "even_runner": true}); err != nil || p.Radius[1] != "1 established TCP connection" {
		t.Errorf("even_runner: %+v, %v", p, err)
	}
	if _, err := planned(t, object{"partition": "127.0.0.0/8"}); err == nil || !strings.Contains(err.Error(), "the loopback 127.0.0.1 (in 127.0.0.0/8)") {
		t.Errorf("the loopback: %v, want a refusal", err)
	}
	for _, lo := range []string{"127.0.0.1", "::1"} {
		if _, err := planned(t, object{"partition": lo}); err == nil || !strings.Contains(err.Error(), "every port of the loopback "+lo) {
			t.Errorf("%s: %v, want a refusal", lo, err)
		}
	}
	if _, err := planned(t, object{"partition": "0.0.0.0/0", "everything": true}); err == nil || !strings.Contains(err.Error(), "the loopback 127.0.0.1 (in 0.0.0.0/0)") {
		t.Errorf("everything: %v, want a refusal", err)
	}
}

// TestSession finds the SSH session in the environment of the runner, where the runner is inside the namespace.
func TestSession(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	t.Setenv("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.1 22")
	t.Setenv(childVar, "yes")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := nettest.Run(t, "ip", "netns", "exec", here.Name, exe, "-test.run=^TestSessionChild$", "-test.v")
	want := "refused: it would cut what the runner itself needs: the SSH session from 192.0.2.7: say even_runner: true if that is meant"
	if !strings.Contains(out, want) {
		t.Errorf("the child said: %s\nwant %s in it", out, want)
	}
}

// childVar makes TestSessionChild the child of TestSession.
const childVar = "BELAY_NETWORK_TEST_CHILD"

// TestSessionChild is carried out by TestSession, in a namespace of its own, because the environment of a process is that of its
// start.
func TestSessionChild(t *testing.T) {
	if os.Getenv(childVar) == "" {
		return
	}
	_, err := planned(t, object{"partition": "192.0.2.7"})
	t.Logf("refused: %v", err)
	if _, err := planned(t, object{"partition": "192.0.2.8:80"}); err == nil || strings.Contains(err.Error(), "runner") {
		t.Errorf("another host: %v, want another refusal", err)
	}
}

// TestGateway refuses a network in which the default gateway is, where the runner is inside.
func TestGateway(t *testing.T) {
	for _, c := range []struct{ net, want string }{
		{"10.0.0.0/24", "[the default gateway 10.0.0.1 (in 10.0.0.0/24)]"},
		{"10.0.0.1/32", "[]"},
		{"10.0.1.0/24", "[]"},
		{"::/0", "[the default gateway fe80::1 (in ::/0) the loopback ::1 (in ::/0)]"},
	} {
		if got := fmt.Sprint(swept(prefix(c.net), addrs("10.0.0.1", "fe80::1"))); got != c.want {
			t.Errorf("%s: %s, want %s", c.net, got, c.want)
		}
	}
}

// TestUnprivileged says what is missing, and what needs nothing.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		_, err := planned(t, object{"partition": "127.0.0.1:80"})
		if err == nil || err.Error() != errRights.Error() {
			t.Errorf("%v, want %v", err, errRights)
		}
		for _, c := range Capabilities(t.Context()) {
			if c.Here || !strings.Contains(c.Why, "CAP_NET_ADMIN is missing: run as root, or take the proxy fault") {
				t.Errorf("%s: %v, %s", c.Fault, c.Here, c.Why)
			}
		}
		return
	}
	// Root loses the right on one thread only, which ends with its goroutine.
	done := make(chan bool)
	go func() { done <- withoutRights() }()
	if <-done {
		t.Error("a thread without CAP_NET_ADMIN counts as privileged")
	}
	if !privileged() {
		t.Error("root does not count as privileged")
	}
}

// withoutRights drops the right on this thread and asks.
func withoutRights() bool {
	lockForever()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var d [2]unix.CapUserData
	if unix.Capget(&h, &d[0]) != nil {
		return true
	}
	d[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	return unix.Capset(&h, &d[0]) != nil || privileged()
}

// TestCapabilities are true here: what they promise is what the other tests use.
func TestCapabilities(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	for _, c := range Capabilities(t.Context()) {
		t.Logf("%s: %v by %s, kernel ends %v %s", c.Fault, c.Here, c.Mechanism, c.KernelEnds, c.Why)
		if !c.Here || c.Mechanism == "" || c.Effect == "" || c.KernelEnds != (c.Class == fault.SelfEnding) {
			t.Errorf("%+v", c)
		}
	}
}

func lockForever() { runtime.LockOSThread() }

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// TestSamePeer lets one fault have a peer of a namespace, also when the namespace goes by another name.
func TestSamePeer(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	there.Echo(t, 8)
	dir := filepath.Join(t.TempDir(), "holds")
	ask := func(id string, config object) error {
		h, err := faulttest.Launcher(kinds(), dir).Hold(t.Context(), hold.Request{
			ID: id, NoPlaybook: "test", Limit: time.Minute, Fault: faulttest.Spec(t, object{"network": config}),
		})
		if err == nil {
			t.Cleanup(func() { _, _ = h.Release(context.Background()) })
		}
		return err
	}
	other := here.Name + "alias"
	nettest.Run(t, "touch", "/run/netns/"+other)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", other).Run() })
	nettest.Run(t, "mount", "--bind", "/run/netns/"+here.Name, "/run/netns/"+other)
	if err := ask("one", object{"partition": "10.77.0.2:7", "netns": here.Name}); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("network namespace %d to 10.77.0.2/32 port 7", here.Ref.Inode)
	for _, name := range []string{here.Name, other} {
		err := ask("two", object{"reset": "10.77.0.2:7", "netns": name})
		if !errors.Is(err, hold.ErrRefused) {
			t.Errorf("%s: %v, want refused", name, err)
		}
	}
	if p, err := planned(t, object{"partition": "10.77.0.2:8", "netns": other}); err != nil || p.Claims[0] != strings.Replace(want, "port 7", "port 8", 1) {
		t.Errorf("another port: %v, %v", p.Claims, err)
	}
	if err := ask("three", object{"reset": "10.77.0.2:8", "netns": other}); err != nil {
		t.Errorf("another port: %v", err)
	}
}
