package playbook

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// nearest returns the candidate that was probably meant, or "". Letter case and the difference between - and _ do not count. Two
// letters in five may be wrong; a word that is the beginning of one candidate alone means that one.
func nearest(word string, candidates []string) string {
	candidates = candidates[:min(len(candidates), 1000)]
	best, shortest := "", 1+max(1, 2*len([]rune(word))/5)
	longer := ""
	beginsWith := 0
	for _, candidate := range candidates {
		if d := distance(plain(word), plain(candidate)); d < shortest {
			best, shortest = candidate, d
		}
		if len(word) > 2 && strings.HasPrefix(plain(candidate), plain(word)) {
			longer = candidate
			beginsWith++
		}
	}
	if best == "" && beginsWith == 1 {
		return longer
	}
	return best
}

func plain(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// distance counts the insertions, deletions, replacements and swaps of neighbours between two words.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > longestIdentifier || len(t) > longestIdentifier {
		return longestIdentifier
	}
	before, last := make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

// didYouMean is the hint that names the nearest candidate; when none is near and they are few, it names them all.
func didYouMean(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(candidates) == 0 || len(candidates) > 8 {
		return ""
	}
	return "one of: " + strings.Join(candidates, ", ")
}

// isControl says whether a character has no place in a text: control characters other than tab and line ends, and the
// invisible ones that turn the direction of writing, because they make a text read as something else.
func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' && r != '\u0085' || unicode.Is(unicode.Bidi_Control, r)
}

// isIdentifier says whether a text can be the identifier of a row.
func isIdentifier(id string) bool {
	for i, r := range id {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alphanumeric && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return id != "" && len(id) <= longestIdentifier
}

// isScenarioID says whether a text can be the identifier of a scenario, which is also the name of its file.
func isScenarioID(id string) bool {
	return isIdentifier(id) && strings.ToLower(id) == id && !strings.Contains(id, "_")
}

// sortedKeys lists the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// firstOr is the first of the names, or a stand-in when there are none.
func firstOr(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return names[0]
}

// listed joins names for a message: "none", "a", "a and b", "a, b and c".
func listed(names []string) string {
	switch n := len(names); n {
	case 0:
		return "none"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
