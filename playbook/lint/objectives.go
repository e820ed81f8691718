package lint

import (
	"github.com/belay-dr/belay/playbook"
)

// critical says whether the application cannot do without the service, always or at times.
func critical(s *playbook.Service) bool {
	return s.Critical.Level == playbook.Always || s.Critical.Level == playbook.During
}

// children calls visit for each pair of a service and a critical service that it needs.
func (p *pass) children(visit func(parentID string, parent *playbook.Service, childID string, child *playbook.Service)) {
	for i := range p.pb.Services {
		row := &p.pb.Services[i]
		for _, need := range row.Value.Needs {
			if child, ok := p.pb.Services.Get(need); ok && critical(child) {
				visit(row.ID, &row.Value, need, child)
			}
		}
	}
}

func childRTO(p *pass) {
	p.children(func(parentID string, parent *playbook.Service, childID string, child *playbook.Service) {
		if parent.RTO > 0 && child.RTO > parent.RTO {
			p.report("services."+childID+".rto", "the RTO of %s is %s, above the %s of %s, which needs it",
				childID, child.RTO, parent.RTO, parentID)
		}
	})
}

func childRPO(p *pass) {
	p.children(func(parentID string, parent *playbook.Service, childID string, child *playbook.Service) {
		if parent.RPO > 0 && child.RPO > parent.RPO {
			p.report("services."+childID+".rpo", "the RPO of %s is %s, above the %s of %s, which needs it",
				childID, child.RPO, parent.RPO, parentID)
		}
	})
}

func severityAgainstRTO(p *pass) {
	scale := p.pb.Scale()
	for _, row := range p.pb.Scenarios {
		level, ok := scale.Get(row.Value.Severity)
		if ok && level.RTO > 0 && row.Value.RTO > level.RTO {
			p.report("scenarios."+row.ID+".severity", "severity %s goes with an RTO of at most %s, and the RTO is %s",
				row.Value.Severity, level.RTO, row.Value.RTO)
		}
	}
}

func scenarioAgainstService(p *pass) {
	for _, row := range p.pb.Scenarios {
		for _, id := range row.Value.Covers {
			s, ok := p.pb.Services.Get(id)
			if !ok {
				continue
			}
			if s.RTO > 0 && row.Value.RTO > s.RTO {
				p.report("scenarios."+row.ID+".rto", "the RTO is %s, above the %s of %s, which it covers", row.Value.RTO, s.RTO, id)
			}
			if s.RPO > 0 && row.Value.RPO > s.RPO {
				p.report("scenarios."+row.ID+".rpo", "the RPO is %s, above the %s of %s, which it covers", row.Value.RPO, s.RPO, id)
			}
		}
	}
}

func noThreshold(p *pass) {
	for _, row := range p.pb.Services {
		if row.Value.Critical.Level == playbook.Never && row.Value.Tolerates == nil {
			p.report("services."+row.ID, "%s is not critical, and nothing says how long the application tolerates its loss", row.ID)
		}
	}
}

func unknownCriticality(p *pass) {
	for _, row := range p.pb.Services {
		if row.Value.Critical.Level == playbook.Unknown {
			p.report("services."+row.ID+".critical", "nobody has said whether %s is critical: is a test planned?", row.ID)
		}
	}
}

func noObjective(p *pass) {
	for i := range p.pb.Services {
		row := &p.pb.Services[i]
		if critical(&row.Value) && row.Value.RTO == 0 && row.Value.Uses == "" {
			p.report("services."+row.ID, "%s is critical and has no RTO", row.ID)
		}
	}
}

func standbyZone(p *pass) {
	for _, row := range p.pb.Services {
		standby, ok := p.pb.Services.Get(row.Value.Standby)
		if ok && row.Value.Zone != "" && standby.Zone == row.Value.Zone {
			p.report("services."+row.ID+".standby", "the standby %s of %s is in the same zone, %s",
				row.Value.Standby, row.ID, row.Value.Zone)
		}
	}
}

func noObservability(p *pass) {
	for _, row := range p.pb.Services {
		if len(row.Value.Observability) == 0 && row.Value.Uses == "" {
			p.report("services."+row.ID, "nothing says where to look at %s: no metrics, logs or dashboards are named", row.ID)
		}
	}
}
