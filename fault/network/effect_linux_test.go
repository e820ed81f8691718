package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/network/nft"
)

const soon = 150 * time.Millisecond

// made is a fault that this process holds.
type made struct {
	t      *testing.T
	target fault.Target
	plan   fault.Plan
	undo   json.RawMessage
}

// inject makes a fault, and sees to it that it ends with the test.
func inject(t *testing.T, id string, config object) *made {
	t.Helper()
	target, err := kinds().Decode(faulttest.Spec(t, object{"network": config}))
	if err != nil {
		t.Fatal(err)
	}
	m := &made{t: t, target: target}
	if m.plan, err = target.Plan(t.Context(), fault.Ask{ID: id}); err != nil {
		t.Fatal(err)
	}
	m.undo = m.plan.Undo
	t.Cleanup(func() { _, _ = target.Revert(t.Context(), m.undo, m.save) })
	if err := target.Inject(t.Context(), m.undo, m.save); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *made) save(undo json.RawMessage) error { m.undo = undo; return nil }

// confirmed is what Confirm says in the end.
func (m *made) confirmed() string {
	m.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		text, err := m.target.Confirm(m.t.Context(), m.undo)
		if err == nil {
			return text
		}
		if time.Now().After(end) {
			m.t.Fatal(err)
		}
	}
}

// revert takes it back, and proves that nothing is left.
func (m *made) revert() fault.Outcome {
	m.t.Helper()
	out, err := m.target.Revert(m.t.Context(), m.undo, m.save)
	if err != nil {
		m.t.Fatal(err)
	}
	if left, err := m.target.Residue(m.t.Context(), m.undo); err != nil || len(left) > 0 {
		m.t.Errorf("left behind: %v, %v", left, err)
	}
	return out
}

// TestWhatIsCut has, for each way to cut, what still answers and what does not.
func TestWhatIsCut(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	const all = "tcp4:7 tcp4:8 udp4:7 udp4:8 tcp6:7 tcp6:8 udp6:7 udp6:8"
	for _, c := range []struct {
		name   string
		config object
		// cut are those that do not answer any more.
		cut string
		// said is in what Confirm says.
		said string
	}{
		{"a port", object{"partition": "10.77.0.2:7"}, "tcp4:7 udp4:7", "tcp 10.77.0.2:7 answered in "},
		{"a port by TCP", object{"partition": object{"to": []string{"10.77.0.2:7"}, "protocol": "tcp"}}, "tcp4:7", " dropped"},
		{"a port by UDP", object{"partition": object{"to": []string{"[fd77::2]:8"}, "protocol": "udp"}}, "udp6:8", "udp [fd77::2]:8 answered in "},
		{"a host", object{"partition": "10.77.0.2"}, "tcp4:7 tcp4:8 udp4:7 udp4:8", "ping 10.77.0.2 answered in "},
		{"a host of IPv6", object{"partition": "fd77::2"}, "tcp6:7 tcp6:8 udp6:7 udp6:8", "ping fd77::2 answered in "},
		{"ping only", object{"partition": object{"to": []string{"10.77.0.2"}, "protocol": "icmp"}}, "", "ping 10.77.0.2 answered in "},
		{"a network", object{"partition": "10.77.0.0/30"}, "tcp4:7 tcp4:8 udp4:7 udp4:8", "what is sent to 10.77.0.1:9 meets the fault"},
		{"both families", object{"partition": []string{"10.77.0.2", "fd77::2"}}, all, "ping fd77::2 answered"},
		{"only what goes out", object{"partition": object{"to": []string{"10.77.0.2:7"}, "direction": "out"}}, "tcp4:7 udp4:7", "dropped"},
		{"only what comes in", object{"partition": object{"to": []string{"10.77.0.2"}, "direction": "in", "protocol": "tcp", "ports": []int{7, 8}}}, "tcp4:7 tcp4:8", "dropped"},
		{"rejected", object{"partition": object{"to": []string{"10.77.0.2:7"}, "how": "reject"}}, "tcp4:7 udp4:7", "rejected"},
		{"a host rejected", object{"partition": object{"to": []string{"fd77::2"}, "how": "reject"}}, "tcp6:7 tcp6:8 udp6:7 udp6:8", "rejected"},
		{"blackhole", object{"blackhole": "10.77.0.2"}, "tcp4:7 tcp4:8 udp4:7 udp4:8", "ping 10.77.0.2 answered"},
		{"blackhole of IPv6", object{"blackhole": "fd77::2"}, "tcp6:7 tcp6:8 udp6:7 udp6:8", "ping fd77::2 answered"},
		{"blackhole of a network", object{"partition": object{"to": []string{"10.77.0.0/30"}, "how": "blackhole"}}, "tcp4:7 tcp4:8 udp4:7 udp4:8", "what is sent to 10.77.0.1:9 meets the fault"},
		{"reset", object{"reset": []string{"10.77.0.2:7", "[fd77::2]:8"}}, "tcp4:7 tcp6:8", "0 connections were ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here, there := nettest.Pair(t)
			there.Echo(t, 7)
			there.Echo(t, 8)
			if got := answering(here, 2*time.Second); got != all {
				t.Fatalf("before, only these answer: %s", got)
			}
			c.config["netns"] = here.Name
			m := inject(t, "f1", c.config)
			if said := m.confirmed(); !strings.Contains(said, c.said) {
				t.Errorf("confirmed: %s\nwant %s in it", said, c.said)
			}
			want := slices.DeleteFunc(strings.Fields(all), func(s string) bool { return slices.Contains(strings.Fields(c.cut), s) })
			if got := answering(here, soon); got != strings.Join(want, " ") {
				t.Errorf("answering: %s\nwant:      %s", got, strings.Join(want, " "))
			}
			if out := m.revert(); len(out.Superseded) > 0 {
				t.Errorf("superseded: %v", out)
			}
			if got := answering(here, 2*time.Second); got != all {
				t.Errorf("afterwards, only these answer: %s", got)
			}
		})
	}
}

// answering are the services of the other side that answer, as it is seen from this one.
func answering(here nettest.Side, bound time.Duration) string {
	var out []string
	for _, family := range []string{"4", "6"} {
		host := map[string]string{"4": "10.77.0.2", "6": "[fd77::2]"}[family]
		for _, network := range []string{"tcp", "udp"} {
			for _, port := range []string{"7", "8"} {
				if here.Answers(network, host+":"+port, bound) {
					out = append(out, network+family+":"+port)
				}
			}
		}
	}
	return strings.Join(out, " ")
}

// TestLastingConnections are hit too: they stall and go on, or are reset at once.
func TestLastingConnections(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	stalled, err := here.Dial("tcp", "10.77.0.2:7", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	m := inject(t, "f1", object{"partition": "10.77.0.2:7", "netns": here.Name})
	if !slices.Contains(m.plan.Radius, "1 established TCP connection") {
		t.Errorf("radius: %v", m.plan.Radius)
	}
	if nettest.Echoes(stalled, soon) {
		t.Error("a connection from before the partition still answers")
	}
	m.revert()
	if !nettest.Echoes(stalled, 10*time.Second) {
		t.Error("the connection did not survive a short partition")
	}
	m = inject(t, "f2", object{"reset": "10.77.0.2:7", "netns": here.Name})
	if said := m.confirmed(); !strings.Contains(said, "1 connection was ended") {
		t.Errorf("confirmed: %s", said)
	}
	began := time.Now()
	if nettest.Echoes(stalled, 5*time.Second) || time.Since(began) > time.Second {
		t.Errorf("it was not reset at once (%s)", time.Since(began))
	}
}

// TestReverseDirection cuts clients off from a service of this side: they are peers whose ports nobody knows.
func TestReverseDirection(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	here.Echo(t, 7)
	m := inject(t, "f1", object{"partition": "10.77.0.2", "netns": here.Name})
	if there.Answers("tcp", "10.77.0.1:7", soon) {
		t.Error("the other side still reaches this one")
	}
	if !there.Answers("tcp", "[fd77::1]:7", time.Second) {
		t.Error("its other address is cut off, too")
	}
	m.revert()
	if !there.Answers("tcp", "10.77.0.1:7", 2*time.Second) {
		t.Error("it is still cut off")
	}
}

// TestRouter cuts what a namespace passes on.
func TestRouter(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	left, router := nettest.Pair(t)
	name := router.Name + "c"
	nettest.Run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	nettest.Run(t, "ip", "link", "add", "far", "netns", router.Name, "type", "veth", "peer", "name", "wire", "netns", name)
	nettest.Run(t, "ip", "-n", router.Name, "address", "add", "10.78.0.1/24", "dev", "far")
	nettest.Run(t, "ip", "-n", name, "address", "add", "10.78.0.2/24", "dev", "wire")
	nettest.Run(t, "ip", "-n", router.Name, "link", "set", "far", "up")
	nettest.Run(t, "ip", "-n", name, "link", "set", "wire", "up")
	nettest.Run(t, "ip", "-n", name, "link", "set", "lo", "up")
	nettest.Run(t, "ip", "-n", name, "route", "add", "10.77.0.0/24", "via", "10.78.0.1")
	nettest.Run(t, "ip", "-n", left.Name, "route", "add", "10.78.0.0/24", "via", "10.77.0.2")
	router.In(t, func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
	right := side(t, name)
	right.Echo(t, 7)
	if !left.Answers("tcp", "10.78.0.2:7", 2*time.Second) {
		t.Fatal("the router does not route")
	}
	m := inject(t, "f1", object{"partition": object{"to": []string{"10.78.0.2:7"}}, "netns": router.Name})
	if !left.Answers("tcp", "10.78.0.2:7", 2*time.Second) {
		t.Error("what it passes on is cut, and nobody asked for that")
	}
	m.revert()
	m = inject(t, "f2", object{"partition": object{"to": []string{"10.78.0.2:7"}, "forward": true}, "netns": router.Name})
	if left.Answers("tcp", "10.78.0.2:7", soon) {
		t.Error("what it passes on is not cut")
	}
	if left.Answers("udp", "10.78.0.2:7", soon) {
		t.Error("UDP that it passes on is not cut")
	}
	m.revert()
	if !left.Answers("tcp", "10.78.0.2:7", 2*time.Second) {
		t.Error("it is still cut")
	}
}

// TestTwoAtOnce holds two faults in one namespace, and ends one of them.
func TestTwoAtOnce(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	there.Echo(t, 8)
	one := inject(t, "f1", object{"partition": "10.77.0.2:7", "netns": here.Name})
	two := inject(t, "f2", object{"partition": object{"to": []string{"10.77.0.2:8"}, "how": "reject"}, "netns": here.Name})
	for _, claim := range one.plan.Claims {
		if slices.Contains(two.plan.Claims, claim) {
			t.Errorf("both claim %s", claim)
		}
	}
	if got := answering(here, soon); got != "tcp6:7 tcp6:8 udp6:7 udp6:8" {
		t.Errorf("both held: %s", got)
	}
	one.revert()
	if got := answering(here, soon); got != "tcp4:7 udp4:7 tcp6:7 tcp6:8 udp6:7 udp6:8" {
		t.Errorf("one ended: %s", got)
	}
	two.revert()
}

// TestProcessNamespace finds the namespace by a process, and leaves the host's alone.
func TestProcessNamespace(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	cmd := exec.Command("ip", "netns", "exec", here.Name, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		link, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
		if link == fmt.Sprintf("net:[%d]", here.Ref.Inode) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the process never entered the namespace")
		}
	}
	file := filepath.Join(t.TempDir(), "app.pid")
	if err := os.WriteFile(file, fmt.Appendln(nil, cmd.Process.Pid), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, config := range []object{{"pid": cmd.Process.Pid}, {"pid_file": file}} {
		config["partition"] = "10.77.0.2:7"
		m := inject(t, "f1", config)
		if here.Answers("tcp", "10.77.0.2:7", soon) {
			t.Error("it still answers")
		}
		m.revert()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := planned(t, object{"partition": "10.77.0.2:7", "pid_file": file}); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a process that is over: %v, want a refusal", err)
	}
}

// TestNamespaceDeleted ends faults whose namespace is taken away while they are held.
func TestNamespaceDeleted(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	for _, config := range []object{{"partition": "10.77.0.2:7"}, {"blackhole": "10.77.0.2"}} {
		here, there := nettest.Pair(t)
		there.Echo(t, 7)
		config["netns"] = here.Name
		m := inject(t, "f1", config)
		nettest.Run(t, "ip", "netns", "del", here.Name)
		m.revert()
		// The next one of that name is not touched.
		nettest.Run(t, "ip", "netns", "add", here.Name)
		nettest.Run(t, "ip", "-n", here.Name, "link", "set", "lo", "up")
		nettest.Run(t, "ip", "-n", here.Name, "route", "add", "blackhole", "10.77.0.2", "proto", "190", "metric", "77")
		m.revert()
		if got := nettest.Run(t, "ip", "-n", here.Name, "route"); !strings.Contains(got, "10.77.0.2") {
			t.Errorf("a route of another namespace was deleted: %q", got)
		}
	}
}

// TestRouteOfOthers is not deleted, and comes to light.
func TestRouteOfOthers(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	m := inject(t, "f1", object{"blackhole": "10.77.0.2", "netns": here.Name})
	if got := nettest.Run(t, "ip", "-n", here.Name, "route", "show", "10.77.0.2"); got != "blackhole 10.77.0.2 proto 190 metric 77 \n" {
		t.Errorf("the route is %q", got)
	}
	nettest.Run(t, "ip", "-n", here.Name, "route", "del", "blackhole", "10.77.0.2")
	nettest.Run(t, "ip", "-n", here.Name, "route", "add", "blackhole", "10.77.0.2")
	out := m.revert()
	if want := []string{"somebody made another route to 10.77.0.2/32"}; !slices.Equal(out.Superseded, want) {
		t.Errorf("superseded: %q, want %q", out.Superseded, want)
	}
	if got := nettest.Run(t, "ip", "-n", here.Name, "route", "show", "10.77.0.2"); !strings.HasPrefix(got, "blackhole 10.77.0.2") {
		t.Errorf("the route of somebody else is gone: %q", got)
	}
}

// TestShaped shows that the actions of another package are carried out where this config says.
func TestShaped(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	there.Echo(t, 8)
	for title, config := range map[string]object{
		"delay 300ms ± 5ms": {"delay": object{"to": []string{"10.77.0.2:7"}, "time": "300ms", "jitter": "5ms"}},
		"loss 100 %":        {"loss": object{"to": []string{"10.77.0.2:7"}, "percent": 100}},
		"rate 1 kbit/s":     {"rate": object{"to": []string{"10.77.0.2:7"}, "rate": "1kbit"}},
	} {
		t.Run(title, func(t *testing.T) {
			config["netns"] = here.Name
			m := inject(t, "f1", config)
			if want := title + " for everything to 10.77.0.2:7 in network namespace " + here.Name; m.plan.Target != want {
				t.Errorf("the target is %s, want %s", m.plan.Target, want)
			}
			if here.Answers("tcp", "10.77.0.2:7", soon) {
				t.Error("it answers as fast as before")
			}
			if !here.Answers("tcp", "10.77.0.2:8", soon) {
				t.Error("another port is hit, too")
			}
			m.revert()
			if !here.Answers("tcp", "10.77.0.2:7", 2*time.Second) {
				t.Error("it does not answer afterwards")
			}
		})
	}
}

// TestLoopback cuts a service of the namespace itself, with each way to answer.
func TestLoopback(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	here.Echo(t, 7)
	for _, how := range []string{"drop", "reject"} {
		lasting, err := here.Dial("tcp", "127.0.0.1:7", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer lasting.Close()
		m := inject(t, "f1", object{"partition": object{"to": []string{"127.0.0.1:7"}, "how": how}, "netns": here.Name})
		m.confirmed()
		if here.Answers("tcp", "127.0.0.1:7", soon) || nettest.Echoes(lasting, soon) {
			t.Errorf("%s: it still answers", how)
		}
		if !here.Answers("tcp", "10.77.0.1:7", time.Second) {
			t.Errorf("%s: another address of the host is cut, too", how)
		}
		m.revert()
		if !here.Answers("tcp", "127.0.0.1:7", time.Second) {
			t.Errorf("%s: it does not answer afterwards", how)
		}
	}
}

// TestTranslated cuts a peer by the address that an application uses, although the packets go elsewhere.
func TestTranslated(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	here.Echo(t, 5353)
	elsewhere := filter.Filter{To: []filter.Peer{{Nets: []netip.Prefix{prefix("10.77.0.2/32")}, Ports: []uint16{53}}}, Protocol: filter.Any, Direction: filter.Out}
	table, err := nft.Open(here.Ref, nft.Table{Name: "somebody", Family: nft.Inet, Chains: []nft.Chain{
		{Name: "out", NAT: true, Hook: nft.Output, Priority: nft.NATOut, Rules: nft.Rules("", nft.Match(nft.Inet, elsewhere, true), nft.Redirect(5353))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for _, direction := range []string{"both", "out", "in"} {
		if !here.Answers("tcp", "10.77.0.2:53", time.Second) {
			t.Fatalf("%s: the translated service does not answer", direction)
		}
		m := inject(t, "f1", object{"partition": object{"to": []string{"10.77.0.2:53"}, "direction": direction}, "netns": here.Name})
		m.confirmed()
		if here.Answers("tcp", "10.77.0.2:53", soon) {
			t.Errorf("%s: it still answers", direction)
		}
		if !here.Answers("tcp", "10.77.0.2:7", time.Second) {
			t.Errorf("%s: another port is cut", direction)
		}
		m.revert()
	}
}

// TestTooManyRules is refused before anything is made.
func TestTooManyRules(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	var to []string
	var ports []int
	for i := range 64 {
		to = append(to, fmt.Sprintf("10.77.0.%d", 100+i))
		ports = append(ports, 1000+i)
	}
	_, err := planned(t, object{"partition": object{"to": to, "ports": ports}, "max": 64, "netns": here.Name})
	if want := "it would take 16384 rules, and the most is 4096: name fewer peers or ports"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestManyRules are sent at once.
func TestManyRules(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	var p filter.Peer
	for port := range 64 {
		p.Ports = append(p.Ports, uint16(1000+port))
	}
	for i := range 16 {
		p.Nets = append(p.Nets, prefix(fmt.Sprintf("10.77.0.%d/32", 100+i)))
	}
	u := undo{Netns: here.Ref, Table: "belay-f1", Silent: able().silent, Filter: filter.Filter{To: []filter.Peer{p}, Protocol: filter.Any, Direction: filter.Both}}
	o := &ownedTable{}
	if err := o.inject(&u, nil); err != nil {
		t.Fatal(err)
	}
	counters, err := nft.Counters(here.Ref, nft.Inet, u.Table)
	cut := len(slices.DeleteFunc(counters, func(c nft.Counted) bool { return c.Note != cutNote }))
	if err != nil || cut != 4096 {
		t.Errorf("%d rules are in force, %v", cut, err)
	}
	if _, err := o.revert(t.Context(), &u); err != nil {
		t.Error(err)
	}
}

// TestSilence shows that a program that sends datagrams is not told that they are dropped, as by a real network, and that
// a device that comes later is no way around.
func TestSilence(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	m := inject(t, "f1", object{"partition": []string{"10.77.0.2", "fd77::2"}, "netns": here.Name})
	if !able().silent {
		t.Log("this kernel cannot drop in silence")
		return
	}
	var seen atomic.Int64
	there.In(t, func() error {
		p, err := net.ListenPacket("udp", ":9")
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = p.Close() })
		go func() {
			for {
				if _, _, err := p.ReadFrom(make([]byte, 10)); err != nil {
					return
				}
				seen.Add(1)
			}
		}()
		return nil
	})
	for _, address := range []string{"10.77.0.2:9", "[fd77::2]:9"} {
		c, err := here.Dial("udp", address, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 100 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatalf("%s: the sender is told: %v", address, err)
			}
		}
	}
	nettest.Run(t, "ip", "link", "add", "later", "netns", here.Name, "type", "veth", "peer", "name", "later", "netns", there.Name)
	nettest.Run(t, "ip", "-n", here.Name, "address", "add", "10.79.0.1/24", "dev", "later")
	nettest.Run(t, "ip", "-n", here.Name, "link", "set", "later", "up")
	nettest.Run(t, "ip", "-n", there.Name, "link", "set", "later", "up")
	nettest.Run(t, "ip", "-n", here.Name, "route", "add", "10.77.0.2", "dev", "later")
	nettest.Run(t, "ip", "-n", here.Name, "neighbour", "add", "10.77.0.2", "lladdr", "02:77:00:00:00:03", "dev", "later", "nud", "permanent")
	c, err := here.Dial("udp", "10.77.0.2:9", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); !errors.Is(err, unix.EPERM) {
		t.Errorf("by a later device: %v, want not permitted", err)
	}
	if n := seen.Load(); n > 0 {
		t.Errorf("%d datagrams arrived", n)
	}
	nettest.Run(t, "ip", "-n", here.Name, "link", "del", "later")
	m.revert()
	if !here.Answers("udp", "10.77.0.2:7", 2*time.Second) {
		t.Error("it does not answer afterwards")
	}
}

// TestOneAddressAnswers takes a name of several addresses, of which one is out of reach, for a peer that is there.
func TestOneAddressAnswers(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	several := filter.Peer{Text: "db", Nets: []netip.Prefix{prefix("192.0.2.1/32"), prefix("10.77.0.2/32"), prefix("fd77::2/128")}, Ports: []uint16{7}}
	s := seer{here.Ref, filter.Filter{To: []filter.Peer{several}, Protocol: filter.TCP, Direction: filter.Both}}
	found, err := s.witnesses(t.Context())
	if err != nil || len(found) != 2 || found[0].String() != "tcp 10.77.0.2:7" || found[1].String() != "tcp [fd77::2]:7" {
		t.Errorf("witnesses: %v, %v", found, err)
	}
	s.filter.To[0].Ports = []uint16{7, 9}
	_, err = s.witnesses(t.Context())
	if want := "nothing answers at db port 7, 9 (192.0.2.1, 10.77.0.2, fd77::2), so its loss could not be seen"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
