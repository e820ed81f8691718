package render

import (
	"testing"

	"pgregory.net/rapid"
)

func TestLayout(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(rt, "nodes")
		g := &graph{}
		for i := range n {
			g.Nodes = append(g.Nodes, node{Label: rapid.StringN(1, 60, -1).Draw(rt, "label"), Sub: string(rune('a' + i))})
		}
		forward := rapid.Bool().Draw(rt, "no circles")
		if n > 1 {
			for range rapid.IntRange(0, 20).Draw(rt, "edges") {
				from, to := rapid.IntRange(0, n-2).Draw(rt, "from"), rapid.IntRange(0, n-1).Draw(rt, "to")
				if forward {
					to = rapid.IntRange(from+1, n-1).Draw(rt, "below")
				}
				g.Edges = append(g.Edges, arrow{From: from, To: to})
			}
		}
		l := g.layout()
		for i, a := range l.Spots {
			if a.X < 0 || a.Y < 0 || a.X+a.W > l.W+0.01 || a.Node >= 0 && a.Y+boxHeight > l.H+0.01 {
				rt.Fatalf("spot %d is outside of the picture: %+v in %.0f x %.0f", i, a, l.W, l.H)
			}
			for j, b := range l.Spots[:i] {
				if a.Y == b.Y && a.X < b.X+b.W && b.X < a.X+a.W {
					rt.Fatalf("spots %d and %d overlap", i, j)
				}
			}
		}
		for i, e := range g.Edges {
			if forward && l.Spots[e.To].Y <= l.Spots[e.From].Y {
				rt.Fatalf("edge %d goes up", i)
			}
			line := l.Lines[i]
			if line[0] != e.From || line[len(line)-1] != e.To {
				rt.Fatalf("line %d does not join its nodes", i)
			}
		}
	})
}
