package playbook

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gowebpki/jcs"
)

// Parts are digests by readable path, for example "scenarios.api-failure.severity". A part is the SHA-256 of the canonical
// JSON (RFC 8785) of what stands there, so that formatting, comments and the order of keys change nothing. What is empty or
// not stated has no part; what equals a default counts as the default.
type Parts map[string]string

// Digest is the digest of all parts together.
func (p Parts) Digest() string { return digest(p) }

// add keeps the digest of a value under a path, unless the value is empty.
func (p Parts) add(path string, value any) {
	if !isEmpty(value) {
		p[path] = digest(value)
	}
}

func isEmpty(value any) bool {
	text, err := json.Marshal(value)
	return err == nil && slices.Contains([]string{`""`, `null`, `[]`, `{}`, `0`, `false`, `"0s"`}, string(text))
}

// digest is "sha256:" and the hexadecimal SHA-256 of the canonical JSON of a value.
func digest(value any) string {
	canonical, err := canonical(value)
	if err != nil {
		// Only values that JSON cannot hold fail, and no type of a playbook has one.
		panic(fmt.Sprintf("playbook: digest: %v", err))
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// canonical is the RFC 8785 form of [value]. The list around it is there because the form begins with a list or an object.
func canonical(value any) ([]byte, error) {
	text, err := json.Marshal([]any{value})
	if err != nil {
		return nil, err
	}
	return jcs.Transform(text)
}

// Change is one part that differs.
type Change struct {
	Path string `json:"path"`
	// What is "added", "removed" or "changed".
	What string `json:"what"`
}

// String is the change in words: "scenarios.api-failure.severity changed".
func (c Change) String() string { return c.Path + " " + c.What }

// Diff names the parts that differ, in the order of their paths.
func Diff(old, new map[string]string) []Change {
	var out []Change
	for path, was := range old {
		switch is, ok := new[path]; {
		case !ok:
			out = append(out, Change{path, "removed"})
		case is != was:
			out = append(out, Change{path, "changed"})
		}
	}
	for path := range new {
		if _, ok := old[path]; !ok {
			out = append(out, Change{path, "added"})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return out
}
