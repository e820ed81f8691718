package lint

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/belay-dr/belay/playbook"
)

// noScenario counts a service as covered when a scenario names it. A service of another team has its own playbook.
func noScenario(p *pass) {
	for i := range p.pb.Services {
		row := &p.pb.Services[i]
		covered := slices.ContainsFunc(p.pb.Scenarios, func(s playbook.Row[playbook.Scenario]) bool {
			return slices.Contains(s.Value.Covers, row.ID)
		})
		if critical(&row.Value) && row.Value.Uses == "" && !covered {
			p.report("services."+row.ID, "%s is critical and no scenario covers it", row.ID)
		}
	}
}

func noFault(p *pass) {
	for _, row := range p.pb.Scenarios {
		if row.Value.Fault == nil {
			p.report("scenarios."+row.ID, "%s says nothing about how an exercise produces this failure", row.ID)
		}
	}
}

func reversalOfOneShot(p *pass) {
	for _, row := range p.pb.Scenarios {
		if row.Value.RecoversBy == playbook.ByReversal && row.Value.Fault != nil && oneShot(row.Value.Fault) {
			p.report("scenarios."+row.ID+".recovers_by", "the fault %s is one-shot: there is nothing to reverse", row.Value.Fault.Kind)
		}
	}
}

// oneShot says whether a fault has nothing to revert. A config may say so itself; a killed process is known.
func oneShot(s *playbook.Spec) bool {
	if c, ok := s.Config.(interface{ OneShot() bool }); ok {
		return c.OneShot()
	}
	if s.Kind != "process" {
		return false
	}
	text, err := json.Marshal(s.Config)
	if err != nil {
		return false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return false
	}
	for name, value := range fields {
		if strings.EqualFold(name, "kill") && string(value) != "null" && string(value) != `""` {
			return true
		}
	}
	return false
}
