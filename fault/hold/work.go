package hold

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// work is the life of a worker: a helper process of a fault, which ends with the input that its holder keeps open.
func (p Process) work(name string) int {
	w, ok := p.Workers[name]
	if !ok {
		fmt.Fprintf(p.Stderr, "belay-hold: error: no worker %q: there are %s\n", name, strings.Join(slices.Sorted(maps.Keys(p.Workers)), ", "))
		return exitUsage
	}
	if err := w(p.Stdin, p.Stdout); err != nil {
		fmt.Fprintf(p.Stderr, "belay-hold: error: worker %s: %v\n", name, err)
		return exitError
	}
	return exitOK
}
