package lint

import (
	"slices"

	"github.com/belay-dr/belay/playbook"
)

func noProbe(p *pass) {
	for _, row := range p.pb.Scenarios {
		for _, id := range row.Value.Covers {
			s, ok := p.pb.Services.Get(id)
			if ok && len(s.Probes) == 0 {
				p.report("scenarios."+row.ID+".covers", "%s is covered and has no probe", id)
			}
		}
	}
}

// noCanary accepts a canary in a covered service or in one that needs it: what is lost below is lost above.
func noCanary(p *pass) {
	for _, row := range p.pb.Scenarios {
		if row.Value.RPO == 0 {
			continue
		}
		watched := slices.ContainsFunc(append(p.pb.Supports(row.Value.Covers...), row.Value.Covers...), func(id string) bool {
			s, ok := p.pb.Services.Get(id)
			return ok && s.Canary != nil
		})
		if !watched {
			p.report("scenarios."+row.ID+".rpo", "the RPO is %s, and no canary measures what is lost", row.Value.RPO)
		}
	}
}

func slowProbes(p *pass) {
	for _, env := range p.pb.Environments {
		pace := env.Value.Measure.OrDefault()
		resolution := pace.Period + pace.Timeout
		for _, row := range p.pb.Scenarios {
			if row.Value.RTO > 0 && resolution > row.Value.RTO/10 {
				p.report("scenarios."+row.ID+".rto",
					"the RTO is %s, and in %s an outage is seen only to %s (period %s + timeout %s), more than a tenth of it",
					row.Value.RTO, env.ID, resolution, pace.Period, pace.Timeout)
			}
		}
	}
}

func noIdentity(p *pass) {
	for _, env := range p.pb.Environments {
		if env.Value.Kind == playbook.Production && len(env.Value.Identity) == 0 {
			p.report("environments."+env.ID, "%s is production and pins no identity", env.ID)
		}
	}
}

func noApprovals(p *pass) {
	for _, env := range p.pb.Environments {
		if env.Value.Kind == playbook.Production && (env.Value.Approvals == nil || env.Value.Approvals.Count < 1) {
			p.report("environments."+env.ID, "%s is production and needs nobody's approval", env.ID)
		}
	}
}
