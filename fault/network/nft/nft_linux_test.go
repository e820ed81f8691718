package nft_test

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/network/filter"
	"github.com/belay-dr/belay/fault/network/nettest"
	"github.com/belay-dr/belay/fault/network/nft"
)

const soon = 150 * time.Millisecond

func peer(prefix string, ports ...uint16) filter.Peer {
	return filter.Peer{Text: prefix, Nets: []netip.Prefix{netip.MustParsePrefix(prefix)}, Ports: ports}
}

func dropping(f filter.Filter) nft.Table {
	return nft.Table{Name: "belay-test", Family: nft.Inet, Chains: []nft.Chain{
		{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: nft.Rules("test", nft.Match(nft.Inet, f, true), nft.Drop())},
		{Name: "in", Hook: nft.Input, Priority: nft.AfterNAT, Rules: nft.Rules("test", nft.Match(nft.Inet, f, false), nft.Drop())},
	}}
}

// TestOwned cuts a peer off while the table is open, counts, and leaves nothing.
func TestOwned(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	there.Echo(t, 8)
	lasting, err := here.Dial("tcp", "10.77.0.2:7", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer lasting.Close()
	if !nettest.Echoes(lasting, time.Second) {
		t.Fatal("no echo before")
	}
	f := filter.Filter{To: []filter.Peer{peer("10.77.0.2/32", 7), peer("fd77::2/128", 7)}, Protocol: filter.Any, Direction: filter.Both}
	table, err := nft.Open(here.Ref, dropping(f))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for _, c := range []struct {
		network, address string
		want             bool
	}{
		{"tcp", "10.77.0.2:7", false},
		{"tcp", "10.77.0.2:8", true},
		{"udp", "10.77.0.2:7", false},
		{"udp", "10.77.0.2:8", true},
		{"tcp", "[fd77::2]:7", false},
		{"udp", "[fd77::2]:7", false},
		{"tcp", "[fd77::2]:8", true},
	} {
		if got := here.Answers(c.network, c.address, soon); got != c.want {
			t.Errorf("%s %s answers: %v, want %v", c.network, c.address, got, c.want)
		}
	}
	if nettest.Echoes(lasting, soon) {
		t.Error("a connection from before still answers")
	}
	counts, err := nft.Counters(here.Ref, nft.Inet, "belay-test")
	if err != nil || len(counts) != 8 || counts[0].Packets == 0 || counts[0].Chain != "out" || counts[0].Note != "test" {
		t.Errorf("counters: %+v, %v", counts, err)
	}
	info, there2, err := nft.Find(here.Ref, nft.Inet, "belay-test")
	if err != nil || !there2 || !info.Owned || info.Owner == 0 {
		t.Errorf("find: %+v %v, %v", info, there2, err)
	}
	if _, err := nft.Open(here.Ref, dropping(f)); !errors.Is(err, unix.EPERM) {
		t.Errorf("a second one of that name: %v, want not permitted", err)
	}
	if err := nft.Delete(here.Ref, info); !errors.Is(err, unix.EPERM) {
		t.Errorf("somebody else deletes it: %v, want not permitted", err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if all, err := nft.Tables(here.Ref); err != nil || len(all) > 0 {
		t.Errorf("left behind: %+v, %v", all, err)
	}
	if !here.Answers("udp", "10.77.0.2:7", time.Second) {
		t.Error("it does not answer afterwards")
	}
	if !nettest.Echoes(lasting, 5*time.Second) {
		t.Error("the connection from before did not survive")
	}
}

// TestMake is the way of kernels without owned tables.
func TestMake(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	f := filter.Filter{To: []filter.Peer{peer("10.77.0.2/32")}, Protocol: filter.TCP, Direction: filter.Out}
	if err := nft.Make(here.Ref, dropping(f)); err != nil {
		t.Fatal(err)
	}
	info, ok, err := nft.Find(here.Ref, nft.Inet, "belay-test")
	if err != nil || !ok || info.Owned || here.Answers("tcp", "10.77.0.2:7", soon) {
		t.Fatalf("find: %+v %v, %v", info, ok, err)
	}
	if err := nft.Make(here.Ref, dropping(f)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one of that name: %v, want that it exists", err)
	}
	other := info
	other.Handle++
	if err := nft.Delete(here.Ref, other); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, ok, _ := nft.Find(here.Ref, nft.Inet, "belay-test"); !ok {
		t.Error("another handle was deleted")
	}
	for range 2 {
		if err := nft.Delete(here.Ref, info); err != nil {
			t.Error(err)
		}
	}
	if !here.Answers("tcp", "10.77.0.2:7", time.Second) {
		t.Error("it does not answer afterwards")
	}
}

// TestReject answers with resets and errors at once, and does not eat its own answers.
func TestReject(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	f := filter.Filter{To: []filter.Peer{peer("10.77.0.2/32"), peer("fd77::2/128")}, Protocol: filter.Any, Direction: filter.Both}
	onlyTCP := f
	onlyTCP.Protocol = filter.TCP
	chain := func(name string, hook nft.Hook, priority int32, out bool) nft.Chain {
		return nft.Chain{Name: name, Hook: hook, Priority: priority, Rules: slices.Concat(
			nft.Rules("answers", nft.Answers(), nft.Accept()),
			nft.Rules("tcp", nft.Match(nft.Inet, onlyTCP, out), nft.Reset()),
			nft.Rules("rest", nft.Match(nft.Inet, f, out), nft.Unreachable()))}
	}
	lasting, err := here.Dial("tcp", "[fd77::2]:7", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer lasting.Close()
	table, err := nft.Open(here.Ref, nft.Table{Name: "belay-test", Family: nft.Inet, Chains: []nft.Chain{
		chain("out", nft.Output, nft.BeforeNAT, true), chain("in", nft.Input, nft.AfterNAT, false),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	for _, address := range []string{"10.77.0.2:7", "[fd77::2]:7"} {
		if _, err := here.Dial("tcp", address, 5*time.Second); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("tcp %s: %v, want refused", address, err)
		}
		c, err := here.Dial("udp", address, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := datagram(c); !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EPERM) {
			t.Errorf("udp %s: %v, want refused", address, err)
		}
	}
	began := time.Now()
	if nettest.Echoes(lasting, 5*time.Second) || time.Since(began) > time.Second {
		t.Errorf("the connection from before was not reset (after %s)", time.Since(began))
	}
}

func datagram(c net.Conn) error {
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 10))
	return err
}

// TestLose loses about as many as it is told.
func TestLose(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	f := filter.Filter{To: []filter.Peer{peer("10.77.0.2/32", 7)}, Protocol: filter.UDP, Direction: filter.Out}
	table, err := nft.Open(here.Ref, nft.Table{Name: "belay-test", Family: nft.IPv4, Chains: []nft.Chain{
		{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: nft.Rules("", nft.Match(nft.IPv4, f, true), nft.Lose(25))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	there.Echo(t, 7)
	c, err := here.Dial("udp", "10.77.0.2:7", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 4000
	for range sent {
		_, _ = c.Write([]byte("x")) // what is lost is refused here
	}
	counts, err := nft.Counters(here.Ref, nft.IPv4, "belay-test")
	if err != nil || len(counts) != 1 {
		t.Fatalf("%+v, %v", counts, err)
	}
	// 25 % of 4000 are 1000; five standard deviations are 137.
	if lost := counts[0].Packets; lost < 863 || lost > 1137 {
		t.Errorf("%d of %d lost, want about 1000", lost, sent)
	}
}

// TestRedirect sends a connection to another port of this host.
func TestRedirect(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, _ := nettest.Pair(t)
	here.Echo(t, 5353)
	for _, family := range []nft.Family{nft.IPv4, nft.Inet} {
		f := filter.Filter{To: []filter.Peer{peer("0.0.0.0/0", 53)}, Protocol: filter.Any, Direction: filter.Out}
		table, err := nft.Open(here.Ref, nft.Table{Name: "belay-test", Family: family, Chains: []nft.Chain{
			{Name: "out", NAT: true, Hook: nft.Output, Priority: nft.NATOut, Rules: nft.Rules("", nft.Match(family, f, true), nft.Redirect(5353))},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, network := range []string{"udp", "tcp"} {
			if !here.Answers(network, "10.77.0.2:53", time.Second) {
				t.Errorf("family %d: %s was not redirected", family, network)
			}
		}
		if err := table.Close(); err != nil {
			t.Error(err)
		}
		if here.Answers("udp", "10.77.0.2:53", soon) {
			t.Error("it is still redirected")
		}
	}
}

// TestQueue shows which of the two queues this kernel has. Nobody listens, so everything passes.
func TestQueue(t *testing.T) {
	if !nettest.Root(t) {
		return
	}
	here, there := nettest.Pair(t)
	there.Echo(t, 7)
	f := filter.Filter{To: []filter.Peer{peer("10.77.0.2/32", 7)}, Protocol: filter.Any, Direction: filter.Both}
	table := func(family nft.Family, do func(uint16) []expr.Any) nft.Table {
		return nft.Table{Name: "belay-test", Family: family, Chains: []nft.Chain{
			{Name: "out", Hook: nft.Output, Priority: nft.BeforeNAT, Rules: nft.Rules("", nft.Match(family, f, true), do(7))},
		}}
	}
	made, err := nft.Open(here.Ref, table(nft.Inet, nft.Queue))
	if errors.Is(err, nft.ErrMissing) {
		t.Logf("no native queue: %v", err)
		made, err = nft.Open(here.Ref, table(nft.IPv4, nft.OldQueue))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if !here.Answers("tcp", "10.77.0.2:7", time.Second) {
		t.Error("a queue without a listener does not let packets pass")
	}
	counts, err := nft.Counters(here.Ref, nft.IPv4, "belay-test")
	if len(counts) == 0 && err == nil {
		counts, err = nft.Counters(here.Ref, nft.Inet, "belay-test")
	}
	if err != nil || len(counts) == 0 || counts[0].Packets == 0 {
		t.Errorf("counters: %+v, %v", counts, err)
	}
}
