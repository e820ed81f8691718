package netns_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/proc"
)

func root(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return true
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("network namespaces need root, and CI must have it")
	}
	t.Log("NOT TESTED: network namespaces need root")
	return false
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// add makes a namespace whose only device has this name.
func add(t *testing.T, name, device string) {
	t.Helper()
	run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	run(t, "ip", "-n", name, "link", "add", device, "type", "bridge")
}

// devices are the names of the devices where ref leads.
func devices(ref netns.Ref) (string, error) {
	var out []string
	err := ref.Do(func() error {
		all, err := net.Interfaces()
		for _, i := range all {
			out = append(out, i.Name)
		}
		return err
	})
	return strings.Join(out, " "), err
}

func TestNamed(t *testing.T) {
	if !root(t) {
		return
	}
	name := fmt.Sprintf("belay-net-%d", os.Getpid())
	add(t, name, "one")
	before, _ := net.Interfaces()
	ref, err := netns.Named(name)
	if err != nil || ref.Own || !ref.There() || ref.Cookie == 0 {
		t.Fatalf("%+v, %v", ref, err)
	}
	// Many at once, so that every thread of this process has its turn.
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if seen, err := devices(ref); err != nil || !strings.Contains(seen, "one") {
				t.Errorf("inside there is %q, %v", seen, err)
			}
			if again, err := netns.Named(name); err != nil || again.Own {
				t.Errorf("it is taken for our own: %v", err)
			}
			if after, _ := net.Interfaces(); len(after) != len(before) {
				t.Error("a thread did not come back")
			}
		})
	}
	wg.Wait()
	own, err := netns.Own()
	if err != nil || !own.Own || own.Inode == ref.Inode || own.Claim() == ref.Claim() {
		t.Errorf("own: %+v, %v", own, err)
	}
	b, err := json.Marshal(ref)
	if err != nil {
		t.Fatal(err)
	}
	var kept netns.Ref
	if err := json.Unmarshal(b, &kept); err != nil || kept != ref {
		t.Errorf("kept as %+v, %v", kept, err)
	}
	kept.Boot = "another"
	if _, err := devices(kept); !errors.Is(err, netns.ErrGone) {
		t.Errorf("another boot: %v, want gone", err)
	}
}

// TestNameTaken never enters a namespace that got the name, and often the inode, of one that is gone.
func TestNameTaken(t *testing.T) {
	if !root(t) {
		return
	}
	name := fmt.Sprintf("belay-net-%d", os.Getpid())
	add(t, name, "one")
	ref, err := netns.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "netns", "del", name)
	if ref.There() {
		t.Error("it is there, and it is gone")
	}
	add(t, name, "two")
	if seen, err := devices(ref); !errors.Is(err, netns.ErrGone) {
		t.Errorf("the next one of that name: %q, %v, want gone", seen, err)
	}
}

// TestProcess finds the namespace of a process, and still when only its name is left.
func TestProcess(t *testing.T) {
	if !root(t) {
		return
	}
	name := fmt.Sprintf("belay-net-%d", os.Getpid())
	add(t, name, "one")
	cmd := exec.Command("ip", "netns", "exec", name, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	me, err := proc.Look(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	var ref netns.Ref
	for end := time.Now().Add(5 * time.Second); ; {
		if ref, err = netns.Of(me.Process); err != nil || time.Now().After(end) {
			t.Fatalf("%+v, %v", ref, err)
		}
		if seen, err := devices(ref); err == nil && strings.Contains(seen, "one") {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if seen, err := devices(ref); err != nil || !strings.Contains(seen, "one") {
		t.Errorf("after the process: %q, %v", seen, err)
	}
	if _, err := netns.Of(me.Process); !errors.Is(err, proc.ErrGone) {
		t.Errorf("a process that is over: %v, want gone", err)
	}
	run(t, "ip", "netns", "del", name)
	// Somebody else's look at all processes may hold it for a moment.
	for end := time.Now().Add(5 * time.Second); ref.There(); {
		if time.Now().After(end) {
			t.Fatal("it is there, and nobody has it")
		}
	}
}

func TestApart(t *testing.T) {
	if !root(t) {
		return
	}
	var kept netns.Ref
	err := netns.Apart(func(ref netns.Ref) error {
		kept = ref
		seen, err := devices(ref)
		if seen != "lo" {
			t.Errorf("there is %q", seen)
		}
		fd, err2 := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		unix.Close(fd)
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if own, _ := netns.Own(); own.Inode == kept.Inode {
		t.Error("it was our own")
	}
}

func TestDial(t *testing.T) {
	if !root(t) {
		return
	}
	name := fmt.Sprintf("belay-net-%d", os.Getpid())
	add(t, name, "one")
	run(t, "ip", "-n", name, "link", "set", "lo", "up")
	ref, err := netns.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	if err := ref.Do(func() error { l, err = net.Listen("tcp", "127.0.0.1:0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if c, err := ref.Dial(ctx, "tcp", l.Addr().String()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("it listens outside of the namespace")
	}
	if _, err := ref.Dial(ctx, "tcp", "localhost:80"); err == nil || !strings.Contains(err.Error(), "dial from network namespace "+name) {
		t.Errorf("a name: %v, want a refusal", err)
	}
	if a, err := ref.Lookup(ctx, "ip", "localhost"); err != nil || len(a) == 0 || !a[0].IsLoopback() {
		t.Errorf("localhost is %v, %v", a, err)
	}
}

func TestBadNames(t *testing.T) {
	for name, want := range map[string]string{
		"": `"" is no name of a network namespace`, "../x": `"../x" is no name of a network namespace`,
		"belay-net-none": `no network namespace "belay-net-none": ` + "`ip netns list` shows them",
	} {
		if _, err := netns.Named(name); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}
