// Command kills reads the times that fault/faulttest wrote, one JSON object a line, and prints them as a table: by mechanism and by
// what took the fault back, how many there were and how long it took. tools/kills runs it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
)

// goal is the 99th percentile, in milliseconds, for what the kernel or the end of the pipe takes back on an idle machine.
const goal = 50.0

type line struct {
	Mechanism string  `json:"mechanism"`
	By        string  `json:"by"`
	Ms        float64 `json:"ms"`
}

func main() {
	if err := table(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kills: error:", err)
		os.Exit(1)
	}
}

// table reads lines and writes the table.
func table(r io.Reader, w io.Writer) error {
	times := map[[2]string][]float64{}
	in := bufio.NewScanner(r)
	for n := 1; in.Scan(); n++ {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		key := [2]string{l.Mechanism, l.By}
		times[key] = append(times[key], l.Ms)
	}
	if err := in.Err(); err != nil {
		return err
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "mechanism\ttaken back by\tn\tp50 ms\tp99 ms\tmax ms\t")
	keys := slices.SortedFunc(maps.Keys(times), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var quick []float64
	for _, key := range keys {
		ms := slices.Sorted(slices.Values(times[key]))
		if key[1] == "kernel" || key[1] == "end of the pipe" {
			quick = append(quick, ms...)
		}
		fmt.Fprintf(out, "%s\t%s\t%d\t%.1f\t%.1f\t%.1f\t\n", key[0], key[1], len(ms), at(ms, 50), at(ms, 99), ms[len(ms)-1])
	}
	slices.Sort(quick)
	fmt.Fprintf(out, "all\tkernel, end of the pipe\t%d\t%.1f\t%.1f\t%.1f\t(goal: p99 %.0f)\n", len(quick), at(quick, 50), at(quick, 99), at(quick, 100), goal)
	return out.Flush()
}

// at is a percentile of sorted numbers.
func at(sorted []float64, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}
