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

// narrowest is the least width of a last column that is worth wrapping.
const narrowest = 20

// Print writes the table. On a terminal the header is in upper case, and what is too wide is wrapped in the last column or,
// when there is no room for that, written as one field a line: nothing is ever cut. In a pipe a row is a line.
func (t *Table) Print() {
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		widths[i] = ansi.StringWidth(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], ansi.StringWidth(row[i]))
		}
	}
	before, total := 0, 0
	for i, w := range widths {
		if before = total; i > 0 {
			before += len(gutter)
		}
		total = before + w
	}
	if t.p.Width > 0 && total > t.p.Width && t.p.Width-before < narrowest {
		t.fields()
		return
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
	if style != nil {
		text = style(text)
	}
	before := 0
	for _, w := range widths[:len(widths)-1] {
		before += w + len(gutter)
	}
	if t.p.Width == 0 || ansi.StringWidth(text) <= t.p.Width {
		t.p.Line("%s", text)
		return
	}
	last := cells[len(cells)-1]
	for i, part := range Wrap(last, t.p.Width-before) {
		if i == 0 {
			t.p.Line("%s%s", strings.TrimSuffix(b.String(), last), part)
		} else {
			t.p.Line("%s%s", strings.Repeat(" ", before), part)
		}
	}
}

// fields writes each row as a block: its first cell, and below it the others that hold something, each with its name.
func (t *Table) fields() {
	name := 0
	for _, h := range t.header[1:] {
		name = max(name, ansi.StringWidth(h))
	}
	for _, row := range t.rows {
		t.p.Text(2, t.p.Bold(row[0]))
		for i, cell := range row[1:] {
			if cell != "" {
				h := t.header[i+1]
				t.p.Text(2+name+len(gutter), "  "+t.p.Dim(h)+strings.Repeat(" ", name-ansi.StringWidth(h))+gutter+cell)
			}
		}
	}
}
