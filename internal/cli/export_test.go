package cli

import (
	"github.com/spf13/cobra"

	"github.com/belay-dr/belay/internal/clock"
)

// NewRoot is the whole tree, for tests that walk it.
func NewRoot() *cobra.Command {
	return newRoot(&App{Clock: clock.System{}, Env: func(string) (string, bool) { return "", false }})
}

// Chapters are the names of the commands in the overview.
func Chapters() []string {
	var names []string
	for _, c := range chapters() {
		names = append(names, c.commands...)
	}
	return names
}

// What tests call by itself.
var (
	// CodeOf and Message are what report uses.
	CodeOf  = codeOf
	Message = message

	// ShowFaults and Settled are what `belay fault list` shows and leaves out.
	ShowFaults = showFaults
	Settled    = settled
)
