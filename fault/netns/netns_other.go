//go:build !linux

package netns

import (
	"context"
	"errors"
	"net"
	"net/netip"

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

// Dial connects from the namespace.
func (Ref) Dial(context.Context, string, string) (net.Conn, error) { return nil, errNone }

// Lookup asks for the addresses of a name.
func (Ref) Lookup(context.Context, string, string) ([]netip.Addr, error) { return nil, errNone }

// Apart runs f in a network namespace that nobody else has.
func Apart(func(Ref) error) error { return errNone }
