package exercisetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
)

// Events reads the input of an "events" block, one event a line: "TIME KIND …".
func Events(lines []string) ([]exercise.Event, error) {
	var out []exercise.Event
	for _, line := range lines {
		e, err := event(line)
		if err != nil {
			return nil, fmt.Errorf("read event %q: %w", line, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Prelude are the events up to the first step in automatic mode, with a fault of the class.
func Prelude(class string) []exercise.Event {
	lines := []string{
		"0s started", "0s begun observe#1#1", "1s done observe#1#1", "1s begun inject#1#1",
		"2s done inject#1#1 class=" + class, "3s down api/books", "3s done declare#1#1",
	}
	events, err := Events(lines)
	if err != nil {
		panic("exercisetest: the prelude is a constant: " + err.Error())
	}
	return events
}

func event(line string) (exercise.Event, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return exercise.Event{}, fmt.Errorf("it has no kind")
	}
	at, err := time.ParseDuration(words[0])
	if err != nil {
		return exercise.Event{}, err
	}
	e := exercise.Event{At: at, Kind: exercise.EventKind(words[1])}
	rest := words[2:]
	switch words[1] {
	case "begun", "done", "failed", "skipped", "unknown":
		e.Kind = map[string]exercise.EventKind{
			"begun": exercise.CommandStarted, "done": exercise.CommandDone, "failed": exercise.CommandFailed,
			"skipped": exercise.CommandSkipped, "unknown": exercise.CommandUnknown,
		}[words[1]]
		if len(rest) == 0 {
			return e, fmt.Errorf("it names no command")
		}
		e.Command, rest = rest[0], rest[1:]
	case "down", "up", "stable":
		if len(rest) == 0 {
			return e, fmt.Errorf("it names no target")
		}
		e.Target, rest = rest[0], rest[1:]
	}
	var text []string
	for _, w := range rest {
		key, value, found := strings.Cut(w, "=")
		if !found {
			text = append(text, w)
			continue
		}
		if err := eventWord(&e, key, value); err != nil {
			return e, err
		}
	}
	e.Text = strings.Join(text, " ")
	return e, nil
}

func eventWord(e *exercise.Event, key, value string) error {
	switch key {
	case "id":
		e.ID = value
	case "by":
		e.By = value
	case "choice":
		e.Choice = value
	case "holds":
		holds := value == "true"
		e.Holds = &holds
	case "class":
		e.Fault = &fault.Status{ID: "f", Target: "api", Class: fault.Class(value), State: fault.Held}
	case "state":
		if e.Fault == nil {
			e.Fault = &fault.Status{ID: "f", Target: "api", Class: fault.Restore}
		}
		e.Fault.State, e.Fault.Cause = fault.State(value), "released"
		if value == string(fault.Ended) {
			e.Fault.Class = fault.OneShot
		}
	case "cause":
		e.Fault.Cause = value
	case "residue":
		e.Fault.Residue = []string{value}
	case "secret":
		e.Captures = append(e.Captures, exercise.Captured{Name: value, Sensitive: true})
	case "outage":
		return outage(e, value)
	case "baseline":
		return baseline(e, value)
	case "relapse":
		return relapse(e, value)
	case "late":
		_, err := fmt.Sscan(value, &e.Measured.Loss.Late)
		return err
	case "loss":
		return loss(e, value)
	default: // a captured value: +name=value
		name, ok := strings.CutPrefix(key, "+")
		if !ok {
			return fmt.Errorf("unknown word %q", key)
		}
		e.Captures = append(e.Captures, exercise.Captured{Name: name, Value: value})
	}
	return nil
}

// outage reads FROM..UNTIL, each a second wide, or FROM.. for one that goes on, or none.
func outage(e *exercise.Event, value string) error {
	if value == "none" {
		e.Measured = &exercise.Measured{Upper: 2 * time.Second}
		return nil
	}
	from, until, _ := strings.Cut(value, "..")
	start, err := time.ParseDuration(from)
	if err != nil {
		return err
	}
	m := &exercise.Measured{Seen: true, StartLow: start - time.Second, StartHigh: start, FirstFail: start}
	e.Measured = m
	if until == "" {
		m.Censored, m.Lower = true, max(0, e.At-start)
		return nil
	}
	end, err := time.ParseDuration(until)
	if err != nil {
		return err
	}
	m.EndLow, m.EndHigh, m.FirstOK, m.Stable = end-time.Second, end, end, end+5*time.Second
	m.Lower, m.Upper = max(0, m.EndLow-m.StartHigh), m.EndHigh-m.StartLow
	return nil
}

// baseline reads FAILED:PROBES:WATCHED.
func baseline(e *exercise.Event, value string) error {
	parts := strings.Split(value, ":")
	if len(parts) != 3 {
		return fmt.Errorf("a baseline is FAILED:PROBES:WATCHED")
	}
	var b exercise.SteadyState
	var err error
	if _, err := fmt.Sscan(parts[0]+" "+parts[1], &b.Failed, &b.Probes); err != nil {
		return err
	}
	b.Watched, err = time.ParseDuration(parts[2])
	e.Baseline = &b
	return err
}

// relapse reads N:LOWER..UPPER, after outage; without an upper bound it goes on.
func relapse(e *exercise.Event, value string) error {
	n, length, _ := strings.Cut(value, ":")
	if _, err := fmt.Sscan(n, &e.Measured.Relapses); err != nil {
		return err
	}
	lower, upper, _ := strings.Cut(length, "..")
	var err error
	if e.Measured.RelapseLower, err = time.ParseDuration(lower); err != nil {
		return err
	}
	if upper == "" {
		e.Measured.RelapseCensored = true
		return nil
	}
	e.Measured.RelapseUpper, err = time.ParseDuration(upper)
	return err
}

// loss reads ROWS:LOWER..UPPER, after outage.
func loss(e *exercise.Event, value string) error {
	rows, span, _ := strings.Cut(value, ":")
	e.Measured.Loss = &exercise.Loss{Acked: 10}
	if _, err := fmt.Sscan(rows, &e.Measured.Loss.Rows); err != nil {
		return err
	}
	lower, upper, _ := strings.Cut(span, "..")
	var err error
	if e.Measured.LossLower, err = time.ParseDuration(lower); err != nil {
		return err
	}
	e.Measured.LossUpper, err = time.ParseDuration(upper)
	return err
}
