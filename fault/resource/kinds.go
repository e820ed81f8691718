package resource

import "github.com/belay-dr/belay/fault"

// Kinds are the faults of this package.
func Kinds() fault.Kinds {
	return fault.Kinds{"resource": func() fault.Config { return new(Resource) }}
}
