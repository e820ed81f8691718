// Command bench says how fast Belay starts: `belay --version` beside a bare cobra program, in turns on the same
// machine, and what each package costs when the program is loaded. `make bench` runs it.
package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

const (
	runs = 41 // of each program
	goal = 6.0
	slow = 1.0 // milliseconds that no package may spend on its initialisation
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "belay-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	belay, hello := filepath.Join(dir, "belay"), filepath.Join(dir, "hello")
	if err := build(belay, "./cmd/belay"); err != nil {
		return err
	}
	if err := build(hello, "./internal/bench/hello"); err != nil {
		return err
	}
	if err := compare(belay, hello); err != nil {
		return err
	}
	return initialisations(belay)
}

// build makes the program as it is released.
func build(out, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}
	return nil
}

// compare runs both in turns, so that a busy machine slows both alike.
func compare(belay, hello string) error {
	var ours, bare []time.Duration
	for range runs {
		for _, p := range []struct {
			path string
			took *[]time.Duration
		}{{belay, &ours}, {hello, &bare}} {
			start := time.Now()
			if err := exec.Command(p.path, "--version").Run(); err != nil {
				return fmt.Errorf("run %s: %w", filepath.Base(p.path), err)
			}
			*p.took = append(*p.took, time.Since(start))
		}
	}
	ratio := float64(median(ours)) / float64(median(bare))
	fmt.Printf("start-up, median of %d runs in turns\n", runs)
	fmt.Printf("  belay --version       %8.2f ms   %s\n", ms(median(ours)), size(belay))
	fmt.Printf("  a bare cobra program  %8.2f ms   %s\n", ms(median(bare)), size(hello))
	fmt.Printf("  ratio                 %8.2f      goal: at most %.0f: %s\n\n", ratio, goal, verdict(ratio <= goal))
	return nil
}

var initLine = regexp.MustCompile(`(?m)^init (\S+) @[0-9.]+ ms, ([0-9.]+) ms clock`)

// initialisations shows the packages that cost most before main. Of several runs the smallest counts: the rest is
// the machine.
func initialisations(belay string) error {
	least := map[string]float64{}
	for range 9 {
		trace := exec.Command(belay, "--version")
		trace.Env = append(os.Environ(), "GODEBUG=inittrace=1")
		out, err := trace.CombinedOutput()
		if err != nil {
			return fmt.Errorf("trace initialisations: %w", err)
		}
		for _, m := range initLine.FindAllSubmatch(out, -1) {
			clock, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				return err
			}
			if old, seen := least[string(m[1])]; !seen || clock < old {
				least[string(m[1])] = clock
			}
		}
	}
	names := make([]string, 0, len(least))
	total := 0.0
	for name, clock := range least {
		names = append(names, name)
		total += clock
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(least[b], least[a]), cmp.Compare(a, b))
	})
	fmt.Printf("package initialisations: %d packages, %.2f ms in all, the slowest\n", len(names), total)
	ok := true
	for i, name := range names {
		if i >= 8 && least[name] <= slow {
			break
		}
		mark := ""
		if least[name] > slow {
			mark, ok = "   over the limit", false
		}
		fmt.Printf("  %8.3f ms  %s%s\n", least[name], name, mark)
	}
	fmt.Printf("  goal: none over %.0f ms: %s\n", slow, verdict(ok))
	if !ok {
		return fmt.Errorf("a package initialisation takes more than %.0f ms", slow)
	}
	return nil
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func size(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.1f MiB", float64(info.Size())/(1<<20))
}

func verdict(ok bool) string {
	if ok {
		return "met"
	}
	return "missed"
}
