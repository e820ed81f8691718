//go:build !linux

package netns

import (
	"errors"

	"github.com/belay-dr/belay/fault/proc"
)

// errNone says that this system has none.
var errNone = errors.New("network namespaces are only on Linux")

// Own is the namespace of this program.
func Own() (Ref, error) { return Ref{}, errNone }

// Named is a namespace made by `ip netns add`.
func Named(string) (Ref, error) { return Ref{}, errNone }

// Of is the namespace of a process.
func Of(proc.Process) (Ref, error) { return Ref{}, errNone }

// There says that the namespace still exists.
func (Ref) There() bool { return false }

// Do runs f in the namespace.
func (Ref) Do(func() error) error { return errNone }
