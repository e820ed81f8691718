package fault

import "errors"

// errOneKind says that a fault must name exactly one kind.
var errOneKind = errors.New("a fault has exactly one kind")

// ErrUnknown says that a program does not know a kind of fault. Another one may: belay knows more than belay-hold.
var ErrUnknown = errors.New("unknown fault")

// ErrNotReverted says that a fault could not be taken back; the command line turns it into exit code 9.
var ErrNotReverted = errors.New("fault not reverted")
