// Package term is the three faces of what a command shows. On a terminal: colour, glyphs, times such as "3 minutes
// ago". In a pipe: plain words and RFC 3339 times, nothing cut off. The third face, JSON, needs nothing from here.
//
// It must never be asked what something means: a room says "met", and this package only knows how that looks.
// Start at Printer.
package term
