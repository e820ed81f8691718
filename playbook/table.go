package playbook

import (
	"bytes"
	"encoding/json"
)

// Table is a YAML mapping whose order is kept. Identifiers are unique; Load refuses duplicates.
type Table[T any] []Row[T]

// Row is one entry of a Table.
type Row[T any] struct {
	ID    string
	Value T
}

// Get returns the row's value and whether it exists. The pointer is into the table.
func (t Table[T]) Get(id string) (*T, bool) {
	for i := range t {
		if t[i].ID == id {
			return &t[i].Value, true
		}
	}
	return nil, false
}

// IDs returns the identifiers in order.
func (t Table[T]) IDs() []string {
	ids := make([]string, len(t))
	for i := range t {
		ids[i] = t[i].ID
	}
	return ids
}

// MarshalJSON writes the table as a JSON object in order.
func (t Table[T]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range t {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(t[i].ID)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(t[i].Value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
