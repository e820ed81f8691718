// Package probe looks at a service from outside, the way a user would: a new connection and a fresh name lookup each time, no
// retries, no proxy, no cache. It says what it saw and can explain it; it never decides what it means (package measure does)
// and never repairs anything. Start at Prober, Decode and Watch.
package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/measure"
)

// Prober asks once. The context carries the deadline of the whole probe; Probe returns when it is over.
type Prober interface {
	Probe(ctx context.Context) Answer
}

// Answer is what one probe saw.
type Answer struct {
	Outcome measure.Outcome
	// Reason says why it is not ok, in one line.
	Reason string
	// Identity is who answered, where the probe asks for a beacon.
	Identity string
	// Address is the network address that answered.
	Address string
	// Explain holds the details for people.
	Explain Explanation
}

// Explanation is what a probe asked, what came back, and where the time went.
type Explanation struct {
	Asked string // the request line and headers, or the command
	Got   string // the head of the response, or the exit status
	Body  []byte // the first bytes of the body or output
	// Timings are in the order they happened.
	Timings []Timing
}

// Timing is one part of a probe.
type Timing struct {
	Name string
	Took time.Duration
}

// DefaultTimeout bounds a probe whose context has no deadline and whose config names no timeout.
const DefaultTimeout = 5 * time.Second

// kinds maps each kind to its config; a config is its own prober.
var families = map[string]map[string]func() any{
	"probe": {
		"http": func() any { return new(HTTP) },
		"tcp":  func() any { return new(TCP) },
	},
	"check": {
		"http": func() any { return new(HTTP) },
		"tcp":  func() any { return new(TCP) },
		"dns":  func() any { return new(DNS) },
		"file": func() any { return new(File) },
		"run":  func() any { return new(Run) },
	},
}

// Kinds returns the kinds of the family "probe": what may be asked again and again.
func Kinds() map[string]func() any { return maps.Clone(families["probe"]) }

// Checks returns the kinds of the family "check": what a step or an assumption may ask once.
func Checks() map[string]func() any { return maps.Clone(families["check"]) }

// Decode makes the prober of a family and kind from its JSON, as the playbook wrote it.
func Decode(family, kind string, raw json.RawMessage) (Prober, error) {
	build, ok := families[family][kind]
	if !ok {
		known := slices.Sorted(maps.Keys(families[family]))
		return nil, fmt.Errorf("decode %s: unknown kind %q (known: %s)", family, kind, strings.Join(known, ", "))
	}
	config := build()
	if err := json.Unmarshal(raw, config); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", family, kind, err)
	}
	if err := checked(config); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", family, kind, err)
	}
	return config.(Prober), nil
}

// checked joins what is wrong with a config into one error.
func checked(config any) error {
	c, ok := config.(interface{ CheckConfig() map[string]string })
	if !ok {
		return nil
	}
	problems := c.CheckConfig()
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, 0, len(problems))
	for _, key := range slices.Sorted(maps.Keys(problems)) {
		lines = append(lines, strings.TrimPrefix(key+": "+problems[key], ": "))
	}
	return fmt.Errorf("%s", strings.Join(lines, "; "))
}
