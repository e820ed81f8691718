package aws

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belay-dr/belay/fault"
)

// markKey is the key of the tag that a fault leaves at its target for as long as it is there.
func markKey(id string) string { return "belay:fault:" + id }

// markLimit is how long the value of a tag may be, in the strictest service.
const markLimit = 255

// mark is the value of the tag: what it would take to take the fault back without us, and until when the fault may live. It
// has only those characters that every service allows.
func mark(ask fault.Ask, now time.Time, undo ...string) string {
	until := "unknown"
	if ask.Limit > 0 {
		until = now.Add(ask.Limit).UTC().Format(time.RFC3339)
	}
	text := fmt.Sprintf("v1 until=%s %s", until, strings.Join(undo, " "))
	text = strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r == ' ' || strings.ContainsRune("_.:/=+-@", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, text)
	return text[:min(len(text), markLimit)]
}
