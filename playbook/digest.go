package playbook

import "errors"

// Parts are digests by readable path, for example "scenarios.api-failure.severity".
type Parts map[string]string

// Digest is the digest of all parts.
func (p Parts) Digest() string { return "" }

// Substance returns the digests of what people agree to.
func Substance(pb *Playbook) Parts { return nil }

// Closure returns the digests of what an exercise of the scenario in the environment proves.
func Closure(pb *Playbook, scenario, environment string) (Parts, error) {
	return nil, errors.New("not there yet")
}

// Change is one part that differs.
type Change struct {
	Path string `json:"path"`
	// What is "added", "removed" or "changed".
	What string `json:"what"`
}

// Diff names the parts that differ, in the order of their paths.
func Diff(old, new map[string]string) []Change { return nil }
