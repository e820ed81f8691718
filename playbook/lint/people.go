package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/internal/calendar"
	"github.com/belay-dr/belay/playbook"
)

// leads are the leads of a scenario that exist, primary first.
func (p *pass) leads(s *playbook.Scenario) []string {
	var ids []string
	for _, id := range []string{s.Leads.Primary, s.Leads.Secondary} {
		if _, ok := p.pb.People.Get(id); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// uncoveredHours takes one week of winter and one of summer, so that leads in zones that change their clocks at different
// times are seen in both, and reports the worse. A lead whose hours are not stated is left to noHours.
func uncoveredHours(p *pass) {
	for i := range p.pb.Scenarios {
		row := &p.pb.Scenarios[i]
		gaps, zone := p.worstWeek(p.leads(&row.Value))
		if len(gaps) == 0 {
			continue
		}
		if zone == "" {
			zone = "UTC"
		}
		p.report("scenarios."+row.ID+".leads", "no lead is available %s %s (%.0f hours a week)%s",
			calendar.Wording(gaps), zone, calendar.Total(gaps).Hours(), p.whoIsThere(row.Value.Covers, gaps))
	}
}

func (p *pass) worstWeek(leads []string) ([]calendar.Stretch, string) {
	var hours []calendar.Hours
	zone := ""
	for _, id := range leads {
		person, _ := p.pb.People.Get(id)
		if person.Rotation != nil {
			return nil, ""
		}
		if person.Available == nil {
			continue
		}
		if len(hours) == 0 {
			zone = person.Available.Zone
		}
		hours = append(hours, *person.Available)
	}
	if len(hours) == 0 {
		return nil, ""
	}
	var worst []calendar.Stretch
	for _, monday := range []time.Time{
		time.Date(2024, time.January, 15, 12, 0, 0, 0, time.UTC),
		time.Date(2024, time.July, 15, 12, 0, 0, 0, time.UTC),
	} {
		gaps, err := calendar.Uncovered(hours, zone, monday)
		if err == nil && calendar.Total(gaps) > calendar.Total(worst) {
			worst = gaps
		}
	}
	return worst, zone
}

// whoIsThere names somebody who knows the services and is there in the middle of the first gap: the obvious third lead.
func (p *pass) whoIsThere(services []string, gaps []calendar.Stretch) string {
	at := gaps[0].From.Add(gaps[0].Length() / 2)
	for _, row := range p.pb.People {
		if !knowsOne(row.Value.Services, services) || row.Value.Available == nil {
			continue
		}
		if open, err := row.Value.Available.Open(at); err == nil && open {
			return fmt.Sprintf("; %s is there, and is not a lead", row.ID)
		}
	}
	return ""
}

func knowsOne(known, wanted []string) bool {
	if slices.Contains(known, "all") {
		return true
	}
	return slices.ContainsFunc(wanted, func(id string) bool { return slices.Contains(known, id) })
}

func noDeputy(p *pass) {
	for _, row := range p.pb.Scenarios {
		if l := row.Value.Leads; l.Secondary == "" || l.Secondary == l.Primary {
			p.report("scenarios."+row.ID+".leads", "%s leads alone, without a deputy", l.Primary)
		}
	}
}

// eachLead calls visit once for each person who leads a scenario, in the order of the people.
func (p *pass) eachLead(visit func(id string, person *playbook.Person, scenarios string)) {
	for i := range p.pb.People {
		row := &p.pb.People[i]
		var led []string
		for j := range p.pb.Scenarios {
			if slices.Contains(p.leads(&p.pb.Scenarios[j].Value), row.ID) {
				led = append(led, p.pb.Scenarios[j].ID)
			}
		}
		if len(led) > 0 {
			visit(row.ID, &row.Value, strings.Join(led, ", "))
		}
	}
}

func unreachableLead(p *pass) {
	p.eachLead(func(id string, person *playbook.Person, scenarios string) {
		if person.Phone == "" && person.Email == "" {
			p.report("people."+id, "%s leads %s and has neither phone nor email", id, scenarios)
		}
	})
}

func noHours(p *pass) {
	p.eachLead(func(id string, person *playbook.Person, scenarios string) {
		if person.Available == nil && person.Rotation == nil {
			p.report("people."+id, "%s leads %s, and nothing says when %s is available", id, scenarios, id)
		}
	})
}

func missingRole(p *pass) {
	for _, role := range p.pb.Agreement.Signers() {
		held := slices.ContainsFunc(p.pb.People, func(row playbook.Row[playbook.Person]) bool {
			return slices.Contains(row.Value.Roles, role)
		})
		if !held {
			p.report("agreement.roles", "nobody holds the role %s, which must agree", role)
		}
	}
}
