// Package netns names network namespaces and runs code in them. It must never let a thread that has entered another
// namespace be used for anything else. Start at Find and Ref.Do.
package netns

import (
	"errors"
	"fmt"

	"github.com/belay-dr/belay/fault/proc"
)

// ErrGone says that the namespace does not exist any more, or that another one has its name.
var ErrGone = errors.New("network namespace is gone")

// Ref is one network namespace for all time. It can be kept in an undo.
type Ref struct {
	// Path is where it can be opened: /run/netns/NAME, /proc/PID/ns/net.
	Path  string `json:"path"`
	Inode uint64 `json:"inode"`
	// Cookie is the kernel's own number of it, which is never used again in a boot, as inodes are. 0 when this kernel has none.
	Cookie uint64 `json:"cookie,omitempty"`
	// Boot is the boot in which it was seen.
	Boot string `json:"boot"`
	// Process is the one whose namespace it is, when it was found by one.
	Process *proc.Process `json:"process,omitempty"`
	// Own says that it was the namespace of the program that found it.
	Own bool `json:"own,omitempty"`
	// Name is how a person calls it: "network namespace blue".
	Name string `json:"name"`
}

// Claim is what a fault that changes a whole namespace, or a part of it, begins its claims with. It is the same under
// whatever name the namespace was found.
func (r Ref) Claim() string { return fmt.Sprintf("network namespace %d", r.Inode) }
