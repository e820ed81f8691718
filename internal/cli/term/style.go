package term

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// tone is how a text is meant.
type tone int

const (
	plain tone = iota
	good
	warn
	bad
	quiet
)

// words maps what the rooms say to how it looks. A word that is not here is shown as it is.
func toneOf(word string) (tone, string) {
	switch strings.ToLower(word) {
	case "pass", "met", "followed", "clear", "done", "up", "ok", "waived", "reverted", "agreed", "signed", "healthy":
		return good, "✓"
	case "fail", "failed", "missed", "blocked", "blocker", "down", "dissent", "invalid", "lost":
		return bad, "✗"
	case "inconclusive", "undecided", "clear with risks", "risk", "expired", "stale", "deviated", "incomplete",
		"superseded", "unknown", "held", "armed", "aborted":
		return warn, "!"
	case "unmet", "skipped", "not reached", "ended", "planned", "pending":
		return quiet, "-"
	}
	return plain, ""
}

// Word shows a state such as "met", "PASS" or "blocked": with a glyph and a colour on a terminal, as it is in a pipe.
func (p *Printer) Word(word string) string {
	t, glyph := toneOf(word)
	if p.TTY && glyph != "" {
		return p.paint(t, glyph+" "+word)
	}
	return p.paint(t, word)
}

// Glyph shows only the sign of a state, on a terminal; in a pipe it is the word itself.
func (p *Printer) Glyph(word string) string {
	t, glyph := toneOf(word)
	if !p.TTY || glyph == "" {
		return word
	}
	return p.paint(t, glyph)
}

// Bold makes a text stand out.
func (p *Printer) Bold(s string) string {
	if !p.Color {
		return s
	}
	return lipgloss.NewStyle().Bold(true).Render(s)
}

// Dim makes a text less prominent.
func (p *Printer) Dim(s string) string { return p.paint(quiet, s) }

// Good colours good news.
func (p *Printer) Good(s string) string { return p.paint(good, s) }

// Bad colours bad news.
func (p *Printer) Bad(s string) string { return p.paint(bad, s) }

// Warn colours what needs a look.
func (p *Printer) Warn(s string) string { return p.paint(warn, s) }

// paint uses the 16 colours that every terminal has, so that the user's own theme decides how they look.
func (p *Printer) paint(t tone, s string) string {
	if !p.Color {
		return s
	}
	style := lipgloss.NewStyle()
	switch t {
	case good:
		style = style.Foreground(lipgloss.Green)
	case bad:
		style = style.Foreground(lipgloss.Red).Bold(true)
	case warn:
		style = style.Foreground(lipgloss.Yellow)
	case quiet:
		style = style.Faint(true)
	default:
		return s
	}
	return style.Render(s)
}
