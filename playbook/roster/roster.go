// Package roster answers who is called, and in which order, when a service fails.
//
// The order follows from what the playbook says: who leads the recovery, who knows the service, who stands where in the
// organisation, and who can be reached at the time. Each place comes with its reasons, so that nobody has to believe it.
// It never contacts anybody. Start reading at CallOrder.
package roster

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/playbook"
)

// Reach says whether a person can be reached at the time asked about.
type Reach string

// The states of reach, in the order in which people are called.
const (
	// Reachable people are within their hours, or on call.
	Reachable Reach = "reachable"
	// Unstated is said of people without hours, of a rotation whose shifts are elsewhere, and when no time was asked about.
	Unstated Reach = "not stated"
	// Away people are outside their hours.
	Away Reach = "away"
)

func (r Reach) rank() int { return slices.Index([]Reach{Reachable, Unstated, Away}, r) }

// Relevance says what a person has to do with a service.
type Relevance int

// The relevances, nearest first.
const (
	PrimaryLead Relevance = iota
	SecondaryLead
	KnowsService
	KnowsAll
	Escalation
)

// Place is one place in a call order.
type Place struct {
	// Person is the identifier; the first place is called first.
	Person    string    `json:"person"`
	Relevance Relevance `json:"relevance"`
	Reach     Reach     `json:"reach"`
	// Level is how many people stand above the person in the organisation.
	Level int `json:"level"`
	// Next is when the person can be reached again, for somebody who is away. Zero when unknown.
	Next time.Time `json:"next,omitzero"`
	// Why are the reasons for the place, in the order of their weight.
	Why []string `json:"why"`
}

// Explain is the reasons in one line.
func (p Place) Explain() string { return strings.Join(p.Why, "; ") }

// CallOrder returns everybody who is called when the service fails. Who can be reached comes before who is away; then the
// leads of its scenarios, those who know it, those who know everything, and the people above them; then the higher position;
// then the order of the text. At a zero time nobody is taken to be away. The same playbook and time always give the same order.
func CallOrder(pb *playbook.Playbook, service string, at time.Time) []Place {
	levels := Levels(pb)
	var places []Place
	for _, row := range pb.People {
		relevance, reason, ok := relevanceOf(pb, service, row.ID, &row.Value)
		if !ok {
			continue
		}
		places = append(places, place(row.ID, &row.Value, relevance, reason, levels[row.ID], at))
	}
	places = append(places, escalation(pb, places, levels, at)...)
	slices.SortStableFunc(places, func(a, b Place) int {
		return cmp.Or(
			cmp.Compare(a.Reach.rank(), b.Reach.rank()),
			cmp.Compare(a.Relevance, b.Relevance),
			cmp.Compare(a.Level, b.Level),
			cmp.Compare(indexOf(pb, a.Person), indexOf(pb, b.Person)))
	})
	return places
}

func indexOf(pb *playbook.Playbook, person string) int { return slices.Index(pb.People.IDs(), person) }

// relevanceOf is the nearest thing that a person has to do with the service, in words.
func relevanceOf(pb *playbook.Playbook, service, id string, person *playbook.Person) (Relevance, string, bool) {
	secondary := ""
	for _, row := range pb.Scenarios {
		if !slices.Contains(row.Value.Covers, service) {
			continue
		}
		if row.Value.Leads.Primary == id {
			return PrimaryLead, "primary lead of " + title(row), true
		}
		if row.Value.Leads.Secondary == id && secondary == "" {
			secondary = title(row)
		}
	}
	switch {
	case secondary != "":
		return SecondaryLead, "secondary lead of " + secondary, true
	case slices.Contains(person.Services, service):
		return KnowsService, "knows " + ServiceName(pb, service), true
	case slices.Contains(person.Services, "all"):
		return KnowsAll, "knows all services", true
	}
	return 0, "", false
}

func title(row playbook.Row[playbook.Scenario]) string {
	return cmp.Or(row.Value.Title, row.ID)
}

// escalation are the people above those already placed, who are not placed themselves.
func escalation(pb *playbook.Playbook, placed []Place, levels map[string]int, at time.Time) []Place {
	seen := map[string]bool{}
	for _, p := range placed {
		seen[p.Person] = true
	}
	var more []Place
	for _, p := range placed {
		below := p.Person
		for {
			person, _ := pb.People.Get(below)
			above, ok := pb.People.Get(person.ReportsTo)
			if !ok || seen[person.ReportsTo] {
				break
			}
			seen[person.ReportsTo] = true
			more = append(more, place(person.ReportsTo, above, Escalation, PersonName(pb, below)+" reports to them",
				levels[person.ReportsTo], at))
			below = person.ReportsTo
		}
	}
	return more
}

func place(id string, person *playbook.Person, relevance Relevance, reason string, level int, at time.Time) Place {
	p := Place{Person: id, Relevance: relevance, Level: level, Reach: Unstated, Why: []string{reason}}
	if person.Position != "" {
		p.Why = append(p.Why, person.Position)
	}
	hours := person.Available
	switch {
	case person.Rotation != nil:
		p.Why = append(p.Why, "whoever has the shift")
	case hours == nil:
		p.Why = append(p.Why, "hours not stated")
	case at.IsZero():
		p.Why = append(p.Why, "available "+hours.String())
	default:
		p.Reach, p.Next = reachAt(hours, at)
		p.Why = append(p.Why, reachWords(p, hours))
	}
	return p
}

// reachAt treats hours whose zone is not known as not stated: it must not send anybody to the end of the list.
func reachAt(hours *playbook.Hours, at time.Time) (Reach, time.Time) {
	open, err := hours.Open(at)
	switch {
	case err != nil:
		return Unstated, time.Time{}
	case open:
		return Reachable, time.Time{}
	}
	next, ok, err := hours.NextOpen(at)
	if err != nil || !ok {
		return Away, time.Time{}
	}
	return Away, next
}

func reachWords(p Place, hours *playbook.Hours) string {
	switch {
	case p.Reach == Reachable && hours.OnCall:
		return "on call"
	case p.Reach == Reachable:
		return "reachable now"
	case !p.Next.IsZero():
		loc, err := hours.Location()
		if err != nil {
			loc = time.UTC
		}
		return "away until " + p.Next.In(loc).Format("Mon 15:04 MST")
	}
	return "hours not known"
}

// ServiceName is what people call a service.
func ServiceName(pb *playbook.Playbook, id string) string {
	if s, ok := pb.Services.Get(id); ok {
		return cmp.Or(s.Name, id)
	}
	return id
}

// PersonName is what people call a person.
func PersonName(pb *playbook.Playbook, id string) string {
	if p, ok := pb.People.Get(id); ok {
		return cmp.Or(p.Name, id)
	}
	return id
}
