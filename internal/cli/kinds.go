package cli

import "github.com/belay-dr/belay/playbook"

// Kinds are the kinds of probe, canary, check and fault that a playbook may use. This is the only place that knows
// them all.
func Kinds() playbook.Kinds {
	return playbook.Kinds{}
}
