package hold

import (
	"context"
	"errors"
	"io"

	"github.com/belay-dr/belay/fault"
)

var errNotYet = errors.New("not built yet")

// Launcher starts holders.
type Launcher struct {
	// Exe is the holder's command line; empty means this binary with its hidden holder command.
	Exe []string
	// Dir is where undo records are; empty means DefaultDir.
	Dir string
}

// Held is a fault that is being held.
type Held struct{}

// Hold starts a holder and returns once the fault's effect is confirmed. An error means that nothing is held, and that
// this was checked; only an error that wraps fault.ErrNotReverted says otherwise. Cancelling ctx later changes nothing.
func (l Launcher) Hold(ctx context.Context, r Request) (*Held, error) { return nil, errNotYet }

// Done is closed when the fault has ended, for whatever reason.
func (h *Held) Done() <-chan struct{} { return nil }

// Status is what is known now.
func (h *Held) Status() fault.Status { return fault.Status{} }

// Release ends the fault and waits for the end. The error wraps fault.ErrNotReverted when it could not be taken back.
func (h *Held) Release(ctx context.Context) (fault.Status, error) { return fault.Status{}, errNotYet }

// DefaultDir is where undo records are kept on this host.
func DefaultDir() (string, error) { return "", errNotYet }

// List returns all faults that are held and those that ended lately, oldest first.
func List(dir string) ([]fault.Status, error) { return nil, errNotYet }

// Find returns one fault by ID.
func Find(dir, id string) (s fault.Status, found bool, err error) { return fault.Status{}, false, errNotYet }

// Sweep reverts every fault whose holder and reaper are both gone, and returns what became of each.
func Sweep(ctx context.Context, dir string) ([]fault.Status, error) { return nil, errNotYet }

// Halt ends every held fault now and returns what became of each.
func Halt(ctx context.Context, dir string) ([]fault.Status, error) { return nil, errNotYet }

// Revert ends one fault now.
func Revert(ctx context.Context, dir, id string) (fault.Status, error) { return fault.Status{}, errNotYet }

// Main is the whole holder process, and the reaper. It returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int { return 1 }
