package term

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	xterm "golang.org/x/term"
)

// Printer writes for a person on a terminal or for a reader of plain text.
type Printer struct {
	io.Writer
	// TTY says that the writer is a terminal.
	TTY bool
	// Color says that colour may be used.
	Color bool
	// Width is the number of columns; 0 means that nothing is cut or wrapped.
	Width int
	// Now is the time that relative times are counted from.
	Now time.Time
}

// NewPrinter looks at the writer and at NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM and COLUMNS.
func NewPrinter(w io.Writer, env func(string) (string, bool), now time.Time) *Printer {
	p := &Printer{Writer: w, Now: now, TTY: IsTerminal(w)}
	p.Color = wantsColor(p.TTY, env)
	if p.TTY {
		p.Width = width(w, env)
	}
	return p
}

// IsTerminal says whether v (a reader or writer) is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && xterm.IsTerminal(int(f.Fd()))
}

func wantsColor(tty bool, env func(string) (string, bool)) bool {
	if v, ok := env("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, ok := env("CLICOLOR_FORCE"); ok && v != "" && v != "0" {
		return true
	}
	if v, ok := env("CLICOLOR"); ok && v == "0" {
		return false
	}
	if v, _ := env("TERM"); v == "dumb" {
		return false
	}
	return tty
}

func width(w io.Writer, env func(string) (string, bool)) int {
	if v, ok := env("COLUMNS"); ok {
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			return n
		}
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := xterm.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// Line writes one formatted line.
func (p *Printer) Line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}
