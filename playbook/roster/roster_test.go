package roster

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belay-dr/belay/internal/calendar"
	"github.com/belay-dr/belay/playbook"
)

func hours(t testing.TB, text string) *playbook.Hours {
	t.Helper()
	h, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &h
}

// trio is the team of three with a director above, one developer and one engineer on call.
func trio(t testing.TB) *playbook.Playbook {
	return &playbook.Playbook{
		Services: playbook.Table[playbook.Service]{{ID: "api", Value: playbook.Service{Name: "Bookstore API"}}, {ID: "cdn"}},
		People: playbook.Table[playbook.Person]{
			{ID: "alice", Value: playbook.Person{
				Position: "Director of Technology", Services: []string{"all"},
				Available: hours(t, "Mon-Fri 09:00-17:00"),
			}},
			{ID: "bob", Value: playbook.Person{
				Position: "Lead Developer", Services: []string{"api"}, ReportsTo: "alice",
				Available: hours(t, "Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00"),
			}},
			{ID: "christina", Value: playbook.Person{Services: []string{"all"}, ReportsTo: "alice", Available: hours(t, "on-call")}},
		},
		Scenarios: playbook.Table[playbook.Scenario]{{ID: "api-failure", Value: playbook.Scenario{
			Title: "API failure", Covers: []string{"api"}, Leads: playbook.Leads{Primary: "bob", Secondary: "alice"},
		}}},
	}
}

func TestCallOrder(t *testing.T) {
	monday := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		service string
		at      time.Time
		want    []string
	}{
		{"no time asked", "api", time.Time{}, []string{
			"bob: primary lead of API failure; Lead Developer; available Mon-Fri 09:00-17:00; Sat-Sun 10:00-14:00",
			"alice: secondary lead of API failure; Director of Technology; available Mon-Fri 09:00-17:00",
			"christina: knows all services; available on-call",
		}},
		{"at noon", "api", monday.Add(12 * time.Hour), []string{
			"bob: primary lead of API failure; Lead Developer; reachable now",
			"alice: secondary lead of API failure; Director of Technology; reachable now",
			"christina: knows all services; on call",
		}},
		{"at three in the morning", "api", monday.Add(3 * time.Hour), []string{
			"christina: knows all services; on call",
			"bob: primary lead of API failure; Lead Developer; away until Mon 09:00 UTC",
			"alice: secondary lead of API failure; Director of Technology; away until Mon 09:00 UTC",
		}},
		{"no scenario: the higher position first", "cdn", time.Time{}, []string{
			"alice: knows all services; Director of Technology; available Mon-Fri 09:00-17:00",
			"christina: knows all services; available on-call",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range CallOrder(trio(t), tt.service, tt.at) {
				got = append(got, p.Person+": "+p.Explain())
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestEscalationNamesThePeopleAbove(t *testing.T) {
	pb := trio(t)
	alice, _ := pb.People.Get("alice")
	alice.Services = nil
	pb.Scenarios[0].Value.Leads.Secondary = ""
	order := CallOrder(pb, "api", time.Time{})
	last := order[len(order)-1]
	if last.Person != "alice" || last.Relevance != Escalation || last.Why[0] != "bob reports to them" {
		t.Errorf("last place is %+v, want alice as the one above bob", last)
	}
}

// team draws people with any reports, circles included.
func team(rt *rapid.T) *playbook.Playbook {
	n := rapid.IntRange(0, 7).Draw(rt, "people")
	pb := &playbook.Playbook{Services: playbook.Table[playbook.Service]{{ID: "s"}}}
	for i := range n {
		p := playbook.Person{
			ReportsTo: fmt.Sprint("p", rapid.IntRange(0, n).Draw(rt, "above")),
			Services:  rapid.SampledFrom([][]string{nil, {"s"}, {"all"}, {"other"}}).Draw(rt, "services"),
		}
		if text := rapid.SampledFrom([]string{"", "on-call", "Mon-Fri 09:00-17:00", "22:00-06:00 Europe/Berlin"}).Draw(rt, "hours"); text != "" {
			h, _ := calendar.Parse(text)
			p.Available = &h
		}
		pb.People = append(pb.People, playbook.Row[playbook.Person]{ID: fmt.Sprint("p", i), Value: p})
	}
	pb.Scenarios = playbook.Table[playbook.Scenario]{{ID: "f", Value: playbook.Scenario{
		Covers: []string{"s"},
		Leads:  playbook.Leads{Primary: "p1", Secondary: "p2"},
	}}}
	return pb
}

func TestCallOrderIsTotalAndDecided(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pb := team(rt)
		at := time.Unix(rapid.Int64Range(0, 2e9).Draw(rt, "at"), 0)
		order := CallOrder(pb, "s", at)
		if again := CallOrder(pb, "s", at); !reflect.DeepEqual(order, again) {
			rt.Fatal("the same question got two answers")
		}
		seen := map[string]bool{}
		for i, p := range order {
			if seen[p.Person] {
				rt.Fatalf("%s is called twice", p.Person)
			}
			seen[p.Person] = true
			if len(p.Why) == 0 {
				rt.Fatalf("%s has no reason", p.Person)
			}
			if i > 0 && order[i-1].Reach.rank() > p.Reach.rank() {
				rt.Fatalf("%s is called before %s, who is easier to reach", order[i-1].Person, p.Person)
			}
			if i > 0 && order[i-1].Reach == p.Reach && order[i-1].Relevance > p.Relevance {
				rt.Fatalf("%s is called before %s, who is nearer", order[i-1].Person, p.Person)
			}
		}
		for _, lead := range []string{"p1", "p2"} {
			if _, ok := pb.People.Get(lead); ok && !seen[lead] {
				rt.Fatalf("the lead %s is not called", lead)
			}
		}
	})
}

func TestChartHoldsEverybodyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pb := team(rt)
		if got := len(Levels(pb)); got != len(pb.People) {
			rt.Fatalf("%d of %d people are in the chart", got, len(pb.People))
		}
		count := 0
		var walk func([]*Node)
		walk = func(nodes []*Node) {
			for _, n := range nodes {
				count++
				walk(n.Reports)
			}
		}
		walk(Chart(pb))
		if count != len(pb.People) {
			rt.Fatalf("%d places for %d people", count, len(pb.People))
		}
	})
}
