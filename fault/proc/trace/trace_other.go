//go:build !linux

package trace

import (
	"context"
	"fmt"

	"github.com/belay-dr/belay/fault/proc"
)

var errLinux = fmt.Errorf("%w: it is done only on Linux", ErrNotPermitted)

// Hold are processes that are stopped.
type Hold struct{}

// Seize stops nothing here.
func Seize(context.Context, ...proc.Process) (*Hold, error) { return nil, errLinux }

// Permitted says that nothing can be traced here.
func Permitted(proc.Process) error { return errLinux }

// Release does nothing here.
func (*Hold) Release(context.Context) error { return nil }

// Stopped sees nothing here.
func (*Hold) Stopped(proc.Process) (int, error) { return 0, errLinux }

// Tracer sees nothing here.
func Tracer(int, int) (int, error) { return 0, errLinux }

// Threads sees nothing here.
func Threads(int) ([]int, error) { return nil, errLinux }

// Thread is the tracing thread; there is none.
func (*Hold) Thread() int { return 0 }

// Here says that nothing can be traced here.
func Here() error { return errLinux }
