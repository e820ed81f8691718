package fault

import "errors"

// errOneKind says that a fault must name exactly one kind.
var errOneKind = errors.New("a fault has exactly one kind")

// ErrNotReverted says that a fault could not be taken back; the command line turns it into exit code 9.
var ErrNotReverted = errors.New("fault not reverted")
