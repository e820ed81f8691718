package term

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// gutter is what stands between two columns.
const gutter = "  "

// Table is rows under a header. Cells may hold styled text.
type Table struct {
	p      *Printer
	header []string
	rows   [][]string
}

// Table starts a table with these columns.
func (p *Printer) Table(header ...string) *Table { return &Table{p: p, header: header} }

// Row adds a row. Line ends in a cell become spaces.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.header))
	for i := range row {
		if i < len(cells) {
			row[i] = strings.ReplaceAll(cells[i], "\n", " ")
		}
	}
	t.rows = append(t.rows, row)
}

// Empty says that no row was added.
func (t *Table) Empty() bool { return len(t.rows) == 0 }

// Print writes the table. On a terminal the header is in upper case and the last column is cut to the width; in a
// pipe nothing is cut.
func (t *Table) Print() {
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		widths[i] = ansi.StringWidth(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], ansi.StringWidth(row[i]))
		}
	}
	header := make([]string, len(t.header))
	for i, h := range t.header {
		header[i] = h
		if t.p.TTY {
			header[i] = strings.ToUpper(h)
		}
	}
	t.line(header, widths, t.p.Dim)
	for _, row := range t.rows {
		t.line(row, widths, nil)
	}
}

func (t *Table) line(cells []string, widths []int, style func(string) string) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gutter)
		}
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)))
		}
	}
	text := strings.TrimRight(b.String(), " ")
	if t.p.Width > 0 && ansi.StringWidth(text) > t.p.Width {
		text = ansi.Truncate(text, t.p.Width, "…")
	}
	if style != nil {
		text = style(text)
	}
	t.p.Line("%s", text)
}
