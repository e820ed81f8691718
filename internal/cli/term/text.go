package term

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Text writes a line for a person: on a terminal it is wrapped between words, and what follows is indented by hang. In a
// pipe it stays one line.
func (p *Printer) Text(hang int, text string) {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	for i, line := range wrap(text[len(indent):], p.Width-len(indent), p.Width-hang) {
		if i > 0 {
			indent = strings.Repeat(" ", hang)
		}
		p.Line("%s%s", indent, line)
	}
}

// Prose writes paragraphs. On a terminal they are filled to its width, where that is narrower than they are written; a line
// that begins with a space is kept apart, and what follows it hangs below its last column.
func (p *Printer) Prose(text string) {
	if p.Width == 0 {
		p.Line("%s", text)
		return
	}
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			p.Text(0, strings.Join(paragraph, " "))
			paragraph = nil
		}
	}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			flush()
			p.Line("")
		case strings.HasPrefix(line, " "):
			flush()
			p.Text(lastColumn(line), line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
}

// lastColumn is where the last column of a line of a table begins: after the last gap of two spaces or more.
func lastColumn(line string) int {
	if i := strings.LastIndex(strings.TrimRight(line, " "), gutter); i >= 0 {
		return i + len(gutter)
	}
	return 0
}

// Wrap breaks a text between words so that no line is wider than width, unless a word is. What stands between two words
// of a line is kept. A width that is not positive breaks nothing. There is at least one line.
func Wrap(text string, width int) []string { return wrap(text, width, width) }

// wrap is Wrap with a width of its own for the first line.
func wrap(text string, width, further int) []string {
	if width <= 0 || further <= 0 || ansi.StringWidth(text) <= width {
		return []string{text}
	}
	words := withUnits(strings.Split(text, " "))
	lines := []string{words[0]}
	for _, word := range words[1:] {
		last := &lines[len(lines)-1]
		if ansi.StringWidth(*last)+1+ansi.StringWidth(word) > width && *last != "" {
			lines = append(lines, word)
			width = further
			continue
		}
		*last += " " + word
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// withUnits joins a number to the unit after it, so that no line ends between them.
func withUnits(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		if i+1 < len(words) && isNumber(word) && len(strings.TrimRight(words[i+1], ",;.)]")) <= 3 && words[i+1] != "" {
			i++
			word += " " + words[i]
		}
		out = append(out, word)
	}
	return out
}

func isNumber(word string) bool {
	word = strings.TrimLeft(word, "[(-")
	return word != "" && strings.Trim(word, "0123456789.") == ""
}
