//go:build linux

// Command halt says how long `belay halt` takes beside the bare reverts of the same faults, one after the other in one
// process: 200 partitions in 20 network namespaces, with one holder for each namespace. It needs root, changes nothing
// outside the namespaces that it makes, and removes them. `make bench` runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/fault/netns"
	"github.com/belay-dr/belay/fault/targets"
)

const (
	namespaces = 20
	each       = 10 // faults in a namespace
	rounds     = 3
	goal       = 2.0
)

func main() {
	if os.Geteuid() != 0 {
		fmt.Println("halt: not measured: it needs root, for network namespaces")
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	dir, err := os.MkdirTemp("", "belay-bench-halt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	belay := filepath.Join(dir, "belay")
	if err := command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", belay, "./cmd/belay"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll()) }()
	for n := range namespaces {
		closeAll, err := world(n)
		if err != nil {
			return err
		}
		defer closeAll()
	}
	var halts, bares []time.Duration
	for n := range rounds {
		h, err := halt(belay, filepath.Join(dir, fmt.Sprintf("holds%d", n)))
		if err != nil {
			return err
		}
		b, err := bare()
		if err != nil {
			return err
		}
		halts, bares = append(halts, h), append(bares, b)
	}
	slices.Sort(halts)
	slices.Sort(bares)
	ratio := float64(halts[rounds/2]) / float64(bares[rounds/2])
	fmt.Printf("belay halt, %d faults in %d namespaces: %s; the bare reverts in one process: %s; ratio %.2f (goal %.1f)\n",
		namespaces*each, namespaces, halts[rounds/2].Round(time.Millisecond), bares[rounds/2].Round(time.Millisecond), ratio, goal)
	return nil
}

func name(n int) string { return fmt.Sprintf("belay-halt-%d", n) }

func address(n int) string { return fmt.Sprintf("10.200.0.%d", n+1) }

// world makes a namespace in which ten addresses answer.
func world(n int) (func(), error) {
	for _, argv := range [][]string{{"netns", "add", name(n)}, {"-n", name(n), "link", "set", "lo", "up"}} {
		if err := command("ip", argv...); err != nil {
			return nil, err
		}
	}
	var open []net.Listener
	closeAll := func() {
		for _, l := range open {
			l.Close()
		}
	}
	ref, err := netns.Named(name(n))
	if err != nil {
		return closeAll, err
	}
	for i := range each {
		if err := command("ip", "-n", name(n), "addr", "add", address(i)+"/32", "dev", "lo"); err != nil {
			return closeAll, err
		}
		err := ref.Do(func() error {
			l, err := net.Listen("tcp", address(i)+":80")
			if err == nil {
				open = append(open, l)
				go answer(l)
			}
			return err
		})
		if err != nil {
			return closeAll, err
		}
	}
	return closeAll, nil
}

func answer(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

func removeAll() error {
	var errs []error
	for n := range namespaces {
		if _, err := netns.Named(name(n)); err == nil {
			errs = append(errs, command("ip", "netns", "del", name(n)))
		}
	}
	return errors.Join(errs...)
}

func specs() ([]fault.Spec, error) {
	var out []fault.Spec
	for i := range each {
		config, err := json.Marshal(map[string]any{"partition": map[string]any{"to": []string{address(i) + ":80"}}})
		if err != nil {
			return nil, err
		}
		out = append(out, fault.Spec{Kind: "network", Config: config})
	}
	return out, nil
}

// halt holds all and measures the command that ends all.
func halt(belay, dir string) (time.Duration, error) {
	faults, err := specs()
	if err != nil {
		return 0, err
	}
	l := hold.Launcher{Kinds: targets.Host(), Exe: []string{belay, "hold-internal"}, Dir: dir}
	errs := make([]error, namespaces)
	var wg sync.WaitGroup
	for n := range namespaces {
		wg.Go(func() {
			_, errs[n] = l.Hold(context.Background(), hold.Request{NoPlaybook: "bench", Faults: faults, Netns: name(n), Limit: 10 * time.Minute})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	cmd := exec.Command(belay, "halt", "--json")
	cmd.Env = append(os.Environ(), "BELAY_STATE_DIR="+dir)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("belay halt: %w: %s", err, out)
	}
	return took, ended(dir)
}

// ended makes sure that all has ended.
func ended(dir string) error {
	list, err := hold.List(dir)
	if err != nil {
		return err
	}
	for _, st := range list {
		if st.State != fault.Reverted || len(st.Residue) > 0 {
			return fmt.Errorf("%s is %s: %s %v", st.ID, st.State, st.Error, st.Residue)
		}
	}
	if len(list) != namespaces {
		return fmt.Errorf("%d holders were there, and not %d", len(list), namespaces)
	}
	return nil
}

// bare makes the same faults in this process and measures how long it takes to take them back, one after the other.
func bare() (time.Duration, error) {
	ctx := context.Background()
	faults, err := specs()
	if err != nil {
		return 0, err
	}
	type made struct {
		target fault.Target
		undo   json.RawMessage
	}
	var all []*made
	for n := range namespaces {
		for i, f := range faults {
			var config map[string]any
			if err := json.Unmarshal(f.Config, &config); err != nil {
				return 0, err
			}
			config["netns"] = name(n)
			if f.Config, err = json.Marshal(config); err != nil {
				return 0, err
			}
			m := &made{}
			if m.target, err = targets.Host().Decode(f); err != nil {
				return 0, err
			}
			plan, err := m.target.Plan(ctx, fault.Ask{ID: fmt.Sprintf("bare-%d-%d", n, i)})
			if err != nil {
				return 0, err
			}
			m.undo = plan.Undo
			if err := m.target.Inject(ctx, m.undo, func(u json.RawMessage) error { m.undo = u; return nil }); err != nil {
				return 0, err
			}
			all = append(all, m)
		}
	}
	began := time.Now()
	for _, m := range all {
		if _, err := m.target.Revert(ctx, m.undo, func(json.RawMessage) error { return nil }); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

func command(argv0 string, argv ...string) error {
	if out, err := exec.Command(argv0, argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", argv0, argv, err, out)
	}
	return nil
}
