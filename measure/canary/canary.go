// Package canary writes small numbered rows through an application, so that it can be said afterwards which acknowledged
// writes were lost. One writer, strictly rising numbers, each write journaled before it is sent. It touches only rows of
// its own namespace. Start at Decode and Canary.
package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/belay-dr/belay/internal/clock"
	"github.com/belay-dr/belay/measure"
)

// Canary is one writer and what it needs to read its rows back and to clean up.
type Canary struct {
	store store
	first int64
}

// store is where the rows go.
type store interface {
	// write creates one row and says what became of it, with a reason when it is not acked.
	write(ctx context.Context, seq int64, stamp time.Time) (measure.WriteState, string)
	// read returns the rows that are there, in the order of the service.
	read(ctx context.Context) (Reading, error)
	// clean removes the rows of this namespace and returns how many are left.
	clean(ctx context.Context) (int, error)
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
	if kind != "http" {
		return nil, fmt.Errorf("decode canary: unknown kind %q (known: http)", kind)
	}
	config := new(HTTP)
	if err := json.Unmarshal(raw, config); err != nil {
		return nil, fmt.Errorf("decode canary http: %w", err)
	}
	s, err := newCollection(*config, namespace)
	if err != nil {
		return nil, fmt.Errorf("decode canary http: %w", err)
	}
	return &Canary{store: s, first: first}, nil
}

// Run writes one row each period until ctx is done, then finishes the write in flight. Each write is given to journal as
// intent before it is sent and again with its end; when journal returns an error nothing more is sent. Writes never
// overlap: a slow one leaves a real gap, and the next starts at the next tick. Times are since origin.
func (c *Canary) Run(ctx context.Context, clk clock.Clock, origin time.Duration, pace measure.Pace, journal func(measure.Write) error) error {
	if pace.Period <= 0 || pace.Timeout <= 0 {
		return fmt.Errorf("run canary: period %s and timeout %s must both be positive", pace.Period, pace.Timeout)
	}
	began := clk.Boot()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for seq := c.first; ; seq++ {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := c.once(ctx, clk, origin, pace.Timeout, seq, journal); err != nil {
			return fmt.Errorf("run canary: %w", err)
		}
		since := clk.Boot() - began
		timer.Reset((since/pace.Period+1)*pace.Period - since)
	}
}

// once writes one row. The intent is in the journal before anything is sent.
func (c *Canary) once(ctx context.Context, clk clock.Clock, origin, timeout time.Duration, seq int64, journal func(measure.Write) error) error {
	w := measure.Write{Seq: seq, Sent: clk.Boot() - origin, State: measure.WriteIntent}
	if err := journal(w); err != nil {
		return fmt.Errorf("journal write %d: %w", seq, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	w.State, w.Reason = c.store.write(ctx, seq, clk.Now())
	w.Done = clk.Boot() - origin
	if err := journal(w); err != nil {
		return fmt.Errorf("journal write %d: %w", seq, err)
	}
	return nil
}

// ReadBack returns the sequence numbers present, in the order the service returned them, duplicates included.
func (c *Canary) ReadBack(ctx context.Context) ([]int64, error) {
	r, err := c.Read(ctx)
	return r.Present, err
}

// Read is ReadBack with who answered.
func (c *Canary) Read(ctx context.Context) (Reading, error) {
	r, err := c.store.read(ctx)
	if err != nil {
		return Reading{}, fmt.Errorf("read canary back: %w", err)
	}
	return r, nil
}

// Cleanup removes the rows of this namespace and no others, and returns how many are left.
func (c *Canary) Cleanup(ctx context.Context) (left int, err error) {
	left, err = c.store.clean(ctx)
	if err != nil {
		return left, fmt.Errorf("clean up canary: %w", err)
	}
	return left, nil
}
