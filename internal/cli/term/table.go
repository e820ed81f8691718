package term

// Table is rows under a header. Cells may hold styled text.
type Table struct {
	p      *Printer
	header []string
	rows   [][]string
}

// Table starts a table with these columns.
func (p *Printer) Table(header ...string) *Table { return &Table{p: p, header: header} }

// Row adds a row.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Print writes the table.
func (t *Table) Print() {}
