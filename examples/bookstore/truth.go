package bookstore

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Truth is one line of truth.jsonl: when a component really stopped, or really served again.
type Truth struct {
	// T is wall-clock time in nanoseconds since the Unix epoch, the same clock for every line.
	T       int64  `json:"t_ns"`
	Service string `json:"service"`
	State   string `json:"state"` // "up" or "down"
}

// truthLog appends to truth.jsonl, one write per line, and only when a component's state changes.
type truthLog struct {
	mu    sync.Mutex
	file  *os.File
	state map[string]string
}

func openTruth(path string) (*truthLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open truth: %w", err)
	}
	return &truthLog{file: f, state: map[string]string{}}, nil
}

// note writes the line unless the component is in that state already. A component is down to begin with.
func (t *truthLog) note(at int64, service, state string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state[service] == state || (t.state[service] == "" && state == "down") {
		return nil
	}
	line, err := json.Marshal(Truth{at, service, state})
	if err != nil {
		return err
	}
	if _, err := t.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	t.state[service] = state
	return nil
}
