package term

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	tests := []struct {
		name        string
		width, hang int
		text, want  string
	}{
		{"a pipe", 0, 4, "one two three four", "one two three four\n"},
		{"it fits", 18, 4, "one two three four", "one two three four\n"},
		{"it hangs", 12, 4, "  one two three four", "  one two\n    three\n    four\n"},
		{"a number and its unit", 14, 0, "execute it 2.3 s, verify", "execute it\n2.3 s, verify\n"},
		{"a long word", 6, 2, "a /a/very/long/path b", "a\n  /a/very/long/path\n  b\n"},
		{"wide letters", 5, 0, "日本 日本", "日本\n日本\n"},
		{"nothing", 10, 2, "", "\n"},
	}
	for _, tt := range tests {
		var b strings.Builder
		(&Printer{Writer: &b, Width: tt.width}).Text(tt.hang, tt.text)
		if b.String() != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, b.String(), tt.want)
		}
	}
}

func TestProse(t *testing.T) {
	const text = "One paragraph that is\nwritten on two lines.\n\n  name   what it is for\nMore."
	var b strings.Builder
	(&Printer{Writer: &b, Width: 18}).Prose(text)
	want := "One paragraph that\nis written on two\nlines.\n\n  name   what it\n         is for\nMore.\n"
	if b.String() != want {
		t.Errorf("on a terminal: %q, want %q", b.String(), want)
	}
	b.Reset()
	(&Printer{Writer: &b}).Prose(text)
	if b.String() != text+"\n" {
		t.Errorf("in a pipe: %q", b.String())
	}
}

// No line is wider than the width unless a word (with its unit) is, and no word is lost.
func TestWrapIsNeverTooWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-z日0-9]{1,9} ){0,20}[a-z]`).Draw(t, "text")
		width := rapid.IntRange(1, 40).Draw(t, "width")
		lines := Wrap(text, width)
		for _, line := range lines {
			if ansi.StringWidth(line) > width && len(withUnits(strings.Fields(line))) > 1 {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
		if got := strings.Join(lines, " "); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
