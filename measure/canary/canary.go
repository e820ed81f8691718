// Package canary writes small numbered rows through an application, so that it can be said afterwards which acknowledged
// writes were lost. One writer, strictly rising numbers, each write journaled before it is sent. It touches only rows of
// its own namespace. Start at Decode and Canary.
package canary

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

// Canary is one writer and what it needs to read its rows back and to clean up.
type Canary struct {
	store store
	first int64
}

// Reading is what was found when the rows were read back, in the order the service returned them.
type Reading struct {
	Present []int64
	// Identity and Address say who answered, where that is known.
	Identity string
	Address  string
}

// Kinds returns the kinds of canary.
func Kinds() map[string]func() any {
	return map[string]func() any{"http": func() any { return new(HTTP) }}
}

// Decode makes a canary from its JSON. The namespace (the exercise's ID) becomes part of every row, so that rows of
// different exercises never mix. First is the first sequence number: 1, or for an observer that comes back one above
// the highest in its journal.
func Decode(kind string, raw json.RawMessage, namespace string, first int64) (*Canary, error) {
	return nil, errors.New("decode canary: not built yet")
}

// Run writes one row each period until ctx is done, then finishes the write in flight. Each write is given to journal as
// intent before it is sent and again with its end; when journal returns an error nothing more is sent. Writes never
// overlap: a slow one leaves a real gap. Times are since origin.
func (c *Canary) Run(ctx context.Context, clk clock.Clock, origin time.Duration, pace measure.Pace, journal func(measure.Write) error) error {
	return errors.New("run canary: not built yet")
}

// ReadBack returns the sequence numbers present, in the order the service returned them, duplicates included.
func (c *Canary) ReadBack(ctx context.Context) ([]int64, error) {
	r, err := c.Read(ctx)
	return r.Present, err
}

// Read is ReadBack with who answered.
func (c *Canary) Read(ctx context.Context) (Reading, error) {
	return Reading{}, errors.New("read canary: not built yet")
}

// Cleanup removes the rows of this namespace and returns how many are left.
func (c *Canary) Cleanup(ctx context.Context) (left int, err error) {
	return 0, errors.New("clean canary: not built yet")
}

type store interface{}

// HTTP is a canary for a collection with a REST interface.
type HTTP struct {
	// URL is the collection: POST creates a row there, GET lists the rows.
	URL string `yaml:"url" json:"url"`
	// Body is the row to create. {marker} stands for the row's own mark (namespace and number), {seq} for the number
	// alone, {stamp} for the time.
	Body    string            `yaml:"body" json:"body"`
	Headers map[string]string `yaml:"headers,omitempty" json:"headers,omitempty"`
	// Method creates a row; POST when empty.
	Method string `yaml:"method,omitempty" json:"method,omitempty"`
	// Read is where the rows are read back; URL when empty. It must be the serving node, not a replica or a cache.
	Read string `yaml:"read,omitempty" json:"read,omitempty"`
	// Items is the path of the list in the answer; $ when empty.
	Items string `yaml:"items,omitempty" json:"items,omitempty"`
	// Field is the path of the marker within one row, for example $.last_name.
	Field string `yaml:"field" json:"field"`
	// Delete is the path of the row's own URL within one row, for example $.url. Without it rows are left behind.
	Delete string `yaml:"delete,omitempty" json:"delete,omitempty"`
	// Refused lists statuses besides 4xx that are certain not to have written, for example 503 of a gateway.
	Refused []int `yaml:"refused,omitempty" json:"refused,omitempty"`
	// Identity is asked when the rows are read back.
	Identity Beacon `yaml:"identity,omitempty" json:"identity,omitzero"`
	// Timeout is for reading back and cleaning up: 30s when empty. Writes take the schedule's.
	Timeout string `yaml:"timeout,omitempty" json:"timeout,omitempty"`
}

// Beacon is where a service says who it is.
type Beacon struct {
	URL  string `yaml:"url" json:"url"`
	Path string `yaml:"path" json:"path"`
}
