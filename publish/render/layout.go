package render

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Sizes of a diagram, in pixels.
const (
	boxHeight  = 48.0
	minWidth   = 110.0
	maxWidth   = 260.0
	gapAcross  = 28.0
	gapBetween = 56.0
	margin     = 8.0
	bendWidth  = 12.0
	labelChar  = 8.0
	subChar    = 6.4
	padding    = 26.0
)

// spot is a place in a layer: a box, or the bend of a line that passes through the layer (Node is -1).
type spot struct {
	Node         int
	X, Y, W      float64
	layer        int
	above, below []int
	order        float64
}

// laid is a diagram with places. Lines are lists of spots, from the first box to the last.
type laid struct {
	W, H  float64
	Spots []spot
	Lines [][]int
	Soft  []bool
}

// layout places each node below everything that points to it, long lines through bends of their own, and orders each layer by
// the middle of its neighbours, so that few lines cross. A circle, which loading refuses, is drawn against the direction.
func (g *graph) layout() laid {
	layers := g.layers()
	var l laid
	for i, n := range g.Nodes {
		l.Spots = append(l.Spots, spot{Node: i, W: boxWidth(n), layer: layers[i], order: float64(i)})
	}
	for _, e := range g.Edges {
		line := []int{e.From}
		for at := layers[e.From] + 1; at < layers[e.To]; at++ {
			l.Spots = append(l.Spots, spot{Node: -1, W: bendWidth, layer: at, order: l.Spots[e.To].order})
			line = append(line, len(l.Spots)-1)
		}
		line = append(line, e.To)
		for i := 0; i+1 < len(line); i++ {
			l.Spots[line[i]].below = append(l.Spots[line[i]].below, line[i+1])
			l.Spots[line[i+1]].above = append(l.Spots[line[i+1]].above, line[i])
		}
		l.Lines = append(l.Lines, line)
		l.Soft = append(l.Soft, e.Soft)
	}
	l.place(l.ordered())
	return l
}

// layers gives each node the length of the longest way to it.
func (g *graph) layers() []int {
	layers := make([]int, len(g.Nodes))
	for range g.Nodes { // As many rounds as the longest way can have; a circle stops there too.
		moved := false
		for _, e := range g.Edges {
			if e.From != e.To && layers[e.To] < layers[e.From]+1 && layers[e.From]+1 < len(g.Nodes) {
				layers[e.To], moved = layers[e.From]+1, true
			}
		}
		if !moved {
			break
		}
	}
	return layers
}

func boxWidth(n node) float64 {
	w := max(float64(utf8.RuneCountInString(n.Label))*labelChar, float64(utf8.RuneCountInString(n.Sub))*subChar) + padding
	return min(max(w, minWidth), maxWidth)
}

// ordered returns the spots of each layer from left to right.
func (l *laid) ordered() [][]int {
	var layers [][]int
	for i, s := range l.Spots {
		for len(layers) <= s.layer {
			layers = append(layers, nil)
		}
		layers[s.layer] = append(layers[s.layer], i)
	}
	sweep := func(layer []int, near func(spot) []int) {
		for _, i := range layer {
			if ns := near(l.Spots[i]); len(ns) > 0 {
				sum := 0.0
				for _, n := range ns {
					sum += l.Spots[n].order
				}
				l.Spots[i].order = sum / float64(len(ns))
			}
		}
		slices.SortStableFunc(layer, func(a, b int) int { return cmp.Compare(l.Spots[a].order, l.Spots[b].order) })
		for place, i := range layer {
			l.Spots[i].order = float64(place) - float64(len(layer)-1)/2
		}
	}
	none := func(spot) []int { return nil }
	for _, layer := range layers {
		sweep(layer, none)
	}
	for range 4 {
		for _, layer := range layers {
			sweep(layer, func(s spot) []int { return s.above })
		}
		for _, layer := range slices.Backward(layers) {
			sweep(layer, func(s spot) []int { return s.below })
		}
	}
	return layers
}

// place centres each layer and stacks them.
func (l *laid) place(layers [][]int) {
	width := func(layer []int) float64 {
		w := -gapAcross
		for _, i := range layer {
			w += l.Spots[i].W + gapAcross
		}
		return w
	}
	for _, layer := range layers {
		l.W = max(l.W, width(layer))
	}
	for n, layer := range layers {
		x := margin + (l.W-width(layer))/2
		for _, i := range layer {
			l.Spots[i].X, l.Spots[i].Y = x, margin+float64(n)*(boxHeight+gapBetween)
			x += l.Spots[i].W + gapAcross
		}
	}
	l.W += 2 * margin
	l.H = 2*margin + float64(len(layers))*boxHeight + float64(max(len(layers)-1, 0))*gapBetween
}
