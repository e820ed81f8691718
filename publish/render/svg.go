package render

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode/utf8"
)

// SVG writes the diagram as inline SVG. Colours come from the page's style, so that it follows dark mode and print. Every text is
// escaped here; this is the only place that hands markup past the template's own escaping.
func (g *graph) SVG() template.HTML {
	l := g.layout()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" class="diagram" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" aria-labelledby="%[5]s-title %[5]s-desc">`,
		l.W, l.H, l.W, l.H, html.EscapeString(g.ID))
	fmt.Fprintf(&b, `<title id="%s-title">%s</title><desc id="%[1]s-desc">%[3]s</desc>`, html.EscapeString(g.ID), html.EscapeString(g.Title), html.EscapeString(g.Desc))
	fmt.Fprintf(&b, `<defs><marker id="%s-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>`, html.EscapeString(g.ID))
	for i, line := range l.Lines {
		class := "line"
		if l.Soft[i] {
			class += " soft"
		}
		fmt.Fprintf(&b, `<path class="%s" marker-end="url(#%s-tip)" d="%s"/>`, class, html.EscapeString(g.ID), l.curve(line))
	}
	for _, s := range l.Spots {
		if s.Node < 0 {
			continue
		}
		n := g.Nodes[s.Node]
		class := "box"
		if n.Soft {
			class += " soft"
		}
		middle := s.X + s.W/2
		fmt.Fprintf(&b, `<g><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="6"/>`, class, s.X, s.Y, s.W, boxHeight)
		if n.Sub == "" {
			fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%.1f">%s</text></g>`, middle, s.Y+29, html.EscapeString(fit(n.Label, s.W, labelChar)))
			continue
		}
		fmt.Fprintf(&b, `<text class="name" x="%.1f" y="%.1f">%s</text>`, middle, s.Y+20, html.EscapeString(fit(n.Label, s.W, labelChar)))
		fmt.Fprintf(&b, `<text class="sub" x="%.1f" y="%.1f">%s</text></g>`, middle, s.Y+37, html.EscapeString(fit(n.Sub, s.W, subChar)))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// curve is a smooth path from the lower edge of the first box to the upper edge of the last, through the bends.
func (l *laid) curve(line []int) string {
	var d strings.Builder
	from := l.Spots[line[0]]
	x, y := from.X+from.W/2, from.Y+boxHeight
	fmt.Fprintf(&d, "M%.1f %.1f", x, y)
	for _, i := range line[1:] {
		to := l.Spots[i]
		nx, ny := to.X+to.W/2, to.Y
		half := (ny - y) / 2
		fmt.Fprintf(&d, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, y+half, nx, ny-half, nx, ny)
		x, y = nx, ny
		if to.Node < 0 {
			y = ny + boxHeight
			fmt.Fprintf(&d, "L%.1f %.1f", x, y)
		}
	}
	return d.String()
}

// fit shortens a text that is wider than its box.
func fit(s string, width, char float64) string {
	most := int((width - 12) / char)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
