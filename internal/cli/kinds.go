package cli

import (
	"github.com/belay-dr/belay/fault/targets/all"
	"github.com/belay-dr/belay/measure/canary"
	"github.com/belay-dr/belay/measure/probe"
	"github.com/belay-dr/belay/playbook"
)

// Kinds are the kinds of probe, check, canary and fault that a playbook may use. This is the only place that knows
// them all.
func Kinds() playbook.Kinds {
	return playbook.Kinds{
		"probe":  probe.Kinds(),
		"check":  probe.Checks(),
		"canary": canary.Kinds(),
		"fault":  all.Kinds().Configs(),
	}
}
