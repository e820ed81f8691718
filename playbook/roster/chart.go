package roster

import "github.com/belay-dr/belay/playbook"

// Node is one person in the organisation, with those who report to them in the order of the text.
type Node struct {
	Person  string  `json:"person"`
	Reports []*Node `json:"reports,omitempty"`
}

// Chart returns the organisation as trees, one for each person who reports to nobody in the playbook. Everybody is in it exactly
// once: a circle of reports, which loading refuses, is cut at its first person.
func Chart(pb *playbook.Playbook) []*Node {
	nodes := map[string]*Node{}
	for _, row := range pb.People {
		nodes[row.ID] = &Node{Person: row.ID}
	}
	var roots []*Node
	for _, row := range pb.People {
		above, ok := nodes[row.Value.ReportsTo]
		if !ok || cutHere(pb, row.ID) {
			roots = append(roots, nodes[row.ID])
			continue
		}
		above.Reports = append(above.Reports, nodes[row.ID])
	}
	return roots
}

// cutHere says whether the person is the first, in the order of the text, of a circle of reports.
func cutHere(pb *playbook.Playbook, id string) bool {
	first, at := indexOf(pb, id), id
	for range pb.People {
		person, ok := pb.People.Get(at)
		if !ok {
			return false
		}
		at = person.ReportsTo
		if at == id {
			return true
		}
		if i := indexOf(pb, at); i >= 0 && i < first {
			first = -1
		}
		if first < 0 {
			return false
		}
	}
	return false
}

// Levels says how many people stand above each person in the chart.
func Levels(pb *playbook.Playbook) map[string]int {
	levels := map[string]int{}
	var walk func(nodes []*Node, level int)
	walk = func(nodes []*Node, level int) {
		for _, n := range nodes {
			levels[n.Person] = level
			walk(n.Reports, level+1)
		}
	}
	walk(Chart(pb), 0)
	return levels
}
