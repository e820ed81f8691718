package render

import (
	"fmt"
	"strings"

	"github.com/belay-dr/belay/playbook"
	"github.com/belay-dr/belay/playbook/roster"
)

// graph is a small directed diagram, drawn from the top down.
type graph struct {
	ID, Title, Desc string
	Nodes           []node
	Edges           []arrow
}

// node is a box with a name and a line below it. A soft one is drawn dashed: it may be missing.
type node struct {
	ID, Label, Sub string
	Soft           bool
}

// arrow goes from one node to another, by index.
type arrow struct {
	From, To int
	Soft     bool
}

// architectureGraph shows what each service runs on.
func (b *builder) architectureGraph() *graph {
	g := &graph{ID: "architecture-diagram", Title: "Architecture of " + b.pb.Application}
	b.services(g, func(s *playbook.Service) string {
		words := []string{}
		for _, w := range []string{s.Platform, s.Zone} {
			if w != "" {
				words = append(words, w)
			}
		}
		return strings.Join(words, ", ")
	})
	return g
}

// dependencyGraph shows what each service promises.
func (b *builder) dependencyGraph() *graph {
	g := &graph{ID: "dependency-diagram", Title: "Dependencies of " + b.pb.Application}
	b.services(g, func(s *playbook.Service) string {
		switch {
		case s.RTO > 0 && s.RPO > 0:
			return "RTO " + s.RTO.String() + ", RPO " + s.RPO.String()
		case s.RTO > 0:
			return "RTO " + s.RTO.String()
		}
		return criticality(s.Critical)
	})
	return g
}

func (b *builder) services(g *graph, sub func(*playbook.Service) string) {
	at := map[string]int{}
	for i := range b.pb.Services {
		row := &b.pb.Services[i]
		at[row.ID] = i
		g.Nodes = append(g.Nodes, node{
			ID: row.ID, Label: roster.ServiceName(b.pb, row.ID), Sub: sub(&row.Value),
			Soft: row.Value.Critical.Level == playbook.Never || row.Value.Critical.Level == playbook.Unknown,
		})
	}
	var said []string
	for i := range b.pb.Services {
		row := &b.pb.Services[i]
		var needs []string
		for _, id := range row.Value.Needs {
			if to, ok := at[id]; ok {
				g.Edges = append(g.Edges, arrow{From: i, To: to, Soft: g.Nodes[to].Soft})
				needs = append(needs, g.Nodes[to].Label)
			}
		}
		if len(needs) > 0 {
			said = append(said, g.Nodes[i].Label+" needs "+strings.Join(needs, ", ")+".")
		}
	}
	g.Desc = strings.Join(append(said, "An arrow points to what is needed; a dashed one may be missing."), " ")
}

// peopleGraph is the organisational chart.
func (b *builder) peopleGraph() *graph {
	g := &graph{ID: "organisation-diagram", Title: "Organisational chart of " + b.pb.Application}
	var said []string
	var walk func(n *roster.Node) int
	walk = func(n *roster.Node) int {
		p, _ := b.pb.People.Get(n.Person)
		i := len(g.Nodes)
		g.Nodes = append(g.Nodes, node{ID: n.Person, Label: roster.PersonName(b.pb, n.Person), Sub: p.Position})
		for _, r := range n.Reports {
			below := walk(r)
			g.Edges = append(g.Edges, arrow{From: i, To: below})
			said = append(said, fmt.Sprintf("%s reports to %s.", g.Nodes[below].Label, g.Nodes[i].Label))
		}
		return i
	}
	for _, root := range roster.Chart(b.pb) {
		walk(root)
	}
	g.Desc = strings.Join(said, " ")
	return g
}

// mermaid writes the diagram as Mermaid text.
func (g *graph) mermaid() string {
	quote := strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;", "\n", " ", "\r", " ")
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	for i, n := range g.Nodes {
		label := quote.Replace(n.Label)
		if n.Sub != "" {
			label += "<br/>" + quote.Replace(n.Sub)
		}
		fmt.Fprintf(&b, "  n%d[\"%s\"]\n", i, label)
	}
	for _, e := range g.Edges {
		line := "-->"
		if e.Soft {
			line = "-.->"
		}
		fmt.Fprintf(&b, "  n%d %s n%d\n", e.From, line, e.To)
	}
	return b.String()
}
