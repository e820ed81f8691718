package render

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// escape makes a text stand for itself in Markdown, in one line. An underscore between letters, as in names, needs nothing.
func escape(s string) string {
	s = edges().ReplaceAllString(strings.Join(strings.Fields(s), " "), "$1\x00$2")
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;",
		"|", `\|`, "#", `\#`, "~", `\~`, "&", "&amp;", "\x00", `\_`).Replace(s)
}

// edges finds an underscore that could begin or end emphasis.
var edges = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(^|[^A-Za-z0-9])_|_([^A-Za-z0-9]|$)`) })

// code sets a text as code inside a line.
func code(s string) string {
	return "`" + strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "`", "'") + "`"
}

// fence puts a text into a code block that nothing in it can close.
func fence(w io.Writer, indent, lang, text string) {
	ticks := "```"
	for strings.Contains(text, ticks) {
		ticks += "`"
	}
	fmt.Fprintf(w, "%s%s%s\n", indent, ticks, lang)
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintf(w, "%s\n", strings.TrimRight(indent+line, " "))
	}
	fmt.Fprintf(w, "%s%s\n", indent, ticks)
}

func writeMarkdown(w io.Writer, doc document) {
	fmt.Fprintf(w, "# %s: playbook\n\n", escape(doc.Title))
	if doc.Summary != "" {
		fmt.Fprintf(w, "%s\n\n", escape(doc.Summary))
	}
	if doc.Team != "" {
		fmt.Fprintf(w, "Team: %s  \n", escape(doc.Team))
	}
	if doc.Environment != "" {
		fmt.Fprintf(w, "Environment: %s  \n", escape(doc.Environment))
	}
	fmt.Fprintf(w, "Substance: `%s`\n\n", doc.Digest)
	for _, s := range doc.Sections {
		fmt.Fprintf(w, "- [%s](#%s)\n", escape(s.Title), s.ID)
	}
	for _, s := range doc.Sections {
		fmt.Fprintf(w, "\n<a id=\"%s\"></a>\n\n## %s\n", s.ID, escape(s.Title))
		for _, b := range s.Blocks {
			writeBlock(w, b)
		}
	}
}

func writeBlock(w io.Writer, b block) {
	fmt.Fprintln(w)
	switch {
	case b.Heading != "":
		fmt.Fprintf(w, "### %s\n", escape(b.Heading))
	case b.Para != "":
		fmt.Fprintf(w, "%s\n", escape(b.Para))
	case b.Table != nil:
		writeTable(w, b.Table)
	case b.Graph != nil:
		fence(w, "", "mermaid", b.Graph.mermaid())
	case b.Steps != nil:
		for _, s := range b.Steps {
			writeStep(w, s)
		}
	default:
		for _, line := range b.Bullets {
			fmt.Fprintf(w, "- %s\n", escape(line))
		}
	}
}

func writeTable(w io.Writer, t *table) {
	head := make([]string, len(t.Header))
	for i, h := range t.Header {
		head[i] = escape(h)
	}
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = escape(c.Text)
			if c.Code {
				cells[i] = strings.ReplaceAll(code(c.Text), "|", `\|`)
			}
			if strings.HasPrefix(c.Link, "#") {
				cells[i] = fmt.Sprintf("[%s](%s)", cells[i], c.Link)
			}
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

func writeStep(w io.Writer, s step) {
	line := fmt.Sprintf("%d. **%s** %s", s.Number, s.Kind, code(s.ID))
	if s.Text != "" {
		line += ": " + escape(s.Text)
	}
	if s.By != "" {
		line += " — *" + escape(s.By) + "*"
	}
	for _, m := range s.Marks {
		line += " (" + escape(m) + ")"
	}
	fmt.Fprintln(w, line)
	indent := strings.Repeat(" ", len(fmt.Sprint(s.Number))+2)
	for _, c := range s.Commands {
		fmt.Fprintln(w)
		switch {
		case c.Environment != "" && c.Where != "":
			fmt.Fprintf(w, "%sIn %s, at %s:\n\n", indent, escape(c.Environment), escape(c.Where))
		case c.Environment != "":
			fmt.Fprintf(w, "%sIn %s:\n\n", indent, escape(c.Environment))
		case c.Where != "":
			fmt.Fprintf(w, "%sAt %s:\n\n", indent, escape(c.Where))
		}
		fence(w, indent, "sh", c.Text)
	}
	if len(s.Options)+len(s.Lines) > 0 {
		fmt.Fprintln(w)
	}
	for _, o := range s.Options {
		line := fmt.Sprintf("%s- **%s**", indent, escape(o.ID))
		if o.Text != "" {
			line += " " + escape(o.Text)
		}
		if o.If != "" {
			line += " (if " + escape(o.If) + ")"
		}
		fmt.Fprintf(w, "%s: %s\n", line, escape(o.Then))
	}
	for _, l := range s.Lines {
		fmt.Fprintf(w, "%s- %s: %s\n", indent, l.Label, escape(l.Text))
	}
	if s.Example != "" {
		fmt.Fprintf(w, "\n%sWhat it looks like:\n\n", indent)
		fence(w, indent, "text", s.Example)
	}
	fmt.Fprintln(w)
}
