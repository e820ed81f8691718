// Package trace stops processes so that the kernel itself lets them go on when this process dies: their threads are traced
// by a thread of ours that does nothing else. It must never leave a process stopped that nobody traces, and never let a
// signal be lost that reached a thread while it was being stopped. Start at Seize.
package trace

import "errors"

// ErrNotPermitted says that this process may not trace that one.
var ErrNotPermitted = errors.New("tracing is not permitted")
