package probe

import (
	"fmt"
	"strings"
	"time"
)

// String writes an explanation for people: what was asked, what came back, and where the time went.
func (e Explanation) String() string {
	var b strings.Builder
	block := func(mark, text string) {
		for line := range strings.Lines(strings.TrimRight(text, "\n")) {
			fmt.Fprintf(&b, "%s %s\n", mark, strings.TrimRight(line, "\r\n"))
		}
	}
	block(">", e.Asked)
	block("<", e.Got)
	block("|", strings.ToValidUTF8(string(e.Body), "\uFFFD"))
	if len(e.Timings) > 0 {
		parts := make([]string, len(e.Timings))
		for i, t := range e.Timings {
			parts[i] = fmt.Sprintf("%s %s", t.Name, t.Took.Round(10*time.Microsecond))
		}
		fmt.Fprintf(&b, "= %s\n", strings.Join(parts, ", "))
	}
	return b.String()
}
