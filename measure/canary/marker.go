package canary

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// marker is the namespace of one exercise: every row carries prefix and number, and a row without the exact prefix is not ours.
type marker struct{ prefix string }

// newMarker keeps a namespace safe inside JSON, URLs and anybody's columns.
func newMarker(namespace string) (marker, error) {
	const safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	if namespace == "" || len(namespace) > 64 || strings.Trim(namespace, safe) != "" {
		return marker{}, fmt.Errorf("namespace %q: letters, digits, dot, dash and underscore only, 64 at most", namespace)
	}
	return marker{prefix: "belay-canary-" + namespace + "-"}, nil
}

// of is the mark of one row. Numbers have six digits or more, so that rows sort by number.
func (m marker) of(seq int64) string { return fmt.Sprintf("%s%06d", m.prefix, seq) }

// seq reads a mark back; false when the row is not ours.
func (m marker) seq(text string) (int64, bool) {
	digits, ours := strings.CutPrefix(text, m.prefix)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, ours && err == nil && n >= 0 && m.of(n) == text
}

// fill puts the mark, the number and the time into a body.
func (m marker) fill(body string, seq int64, stamp time.Time) string {
	return strings.NewReplacer(
		"{marker}", m.of(seq),
		"{seq}", strconv.FormatInt(seq, 10),
		"{stamp}", stamp.UTC().Format(time.RFC3339Nano),
	).Replace(body)
}
