// Package secret keeps secrets out of what is written down. It never prints or stores one itself. Start at Redactor.
package secret

import (
	"slices"
	"strings"
	"sync"
)

// shortest is the length below which a value is no secret: replacing it would only garble the text.
const shortest = 4

// Redactor replaces secrets in texts. Its zero value knows none. It is safe for concurrent use.
type Redactor struct {
	mu     sync.RWMutex
	values []string
	names  map[string]string
}

// Add makes the redactor know a secret under the name that is shown in its place.
func (r *Redactor) Add(name, value string) {
	value = strings.TrimSpace(value)
	if len(value) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[string]string{}
	}
	for _, v := range append([]string{value}, strings.Split(value, "\n")...) {
		if v = strings.TrimSpace(v); len(v) >= shortest && !slices.Contains(r.values, v) {
			r.values = append(r.values, v)
			r.names[v] = name
		}
	}
	// The longest first, so that a secret that contains another is replaced as a whole.
	slices.SortFunc(r.values, func(a, b string) int { return len(b) - len(a) })
}

// Redact returns the text with each secret replaced by its name.
func (r *Redactor) Redact(text string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, v := range r.values {
		text = strings.ReplaceAll(text, v, "<secret "+r.names[v]+">")
	}
	return text
}
