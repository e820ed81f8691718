package aws

import (
	"fmt"
	"maps"
	"slices"
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
	text := plain(fmt.Sprintf("v1 until=%s %s", until, strings.Join(undo, " ")))
	return text[:min(len(text), markLimit)]
}

// plain has only those characters that every service allows in a tag.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && (r == ' ' || strings.ContainsRune("_.:/=+-@", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, text)
}

// free refuses what another fault has marked, also one of another host. Ours is no other's.
func free(called, ours string, tags map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		id, is := strings.CutPrefix(key, markKey(""))
		if !is || key == ours {
			continue
		}
		until, _, _ := strings.Cut(strings.TrimPrefix(tags[key], "v1 "), " ")
		return fmt.Errorf("%s is held by fault %s (%s): end that one first; if it is over, take the tag %s away", called, id, until, key)
	}
	return nil
}
