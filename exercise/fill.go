package exercise

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Marks stand for values that are known only while the exercise runs. They are characters that no text uses
// (Unicode's private use area), so that they survive JSON and a second look for placeholders is never needed.
const (
	markBegin = "\uE000"
	markEnd   = "\uE001"
)

func mark(name string) string { return markBegin + name + markEnd }

// Readable shows marks as the placeholders they stand for.
func Readable(s string) string {
	return strings.NewReplacer(markBegin, "${", markEnd, "}").Replace(s)
}

// Fill replaces each marked value in the node by what lookup knows of it. A value that lookup does not know is an error.
func Fill(n Node, lookup func(name string) (string, bool)) (Node, error) {
	f := &filler{lookup: lookup}
	n.Text, n.Shell, n.Where = f.text(n.Text), f.text(n.Shell), f.text(n.Where)
	n.Argv = slices.Clone(n.Argv)
	for i := range n.Argv {
		n.Argv[i] = f.text(n.Argv[i])
	}
	n.Check, n.Expect, n.If = f.check(n.Check), f.check(n.Expect), f.check(n.If)
	n.Options = slices.Clone(n.Options)
	for i := range n.Options {
		n.Options[i].Text, n.Options[i].If = f.text(n.Options[i].Text), f.check(n.Options[i].If)
	}
	if f.missing != "" {
		return n, fmt.Errorf("the value of ${%s} is not known yet", f.missing)
	}
	return n, nil
}

// filler remembers the first value that was missing.
type filler struct {
	lookup  func(string) (string, bool)
	missing string
}

func (f *filler) text(s string) string {
	return f.replace(s, func(v string) string { return v })
}

func (f *filler) check(c *Check) *Check {
	if c == nil {
		return nil
	}
	raw := f.replace(string(c.Config), func(v string) string {
		quoted, _ := json.Marshal(v)
		return string(quoted[1 : len(quoted)-1])
	})
	return &Check{Kind: c.Kind, Config: json.RawMessage(raw)}
}

func (f *filler) replace(s string, quote func(string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, markBegin)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(rest, markEnd)
		if v, ok := f.lookup(name); ok {
			b.WriteString(quote(v))
		} else if f.missing == "" {
			f.missing = name
		}
		s = after
	}
}

// fill fills in what was captured. Sensitive values stay marked: only who carries the step out knows them.
func (m *machine) fill(n Node) (Node, error) {
	return Fill(n, func(name string) (string, bool) {
		if name == "since" {
			return m.began().Format(time.RFC3339), true
		}
		i := m.captured(name)
		if i < 0 {
			return "", false
		}
		if m.Captures[i].Sensitive {
			return mark(name), true
		}
		return m.Captures[i].Value, true
	})
}

// began is the wall clock at which the outage was first seen, for messages to people.
func (s *State) began() time.Time {
	if e, ok := s.failed(); ok {
		return s.Plan.Planned.Add(e.At)
	}
	return s.Plan.Planned.Add(s.Now)
}
