package act

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/measure/probe"
)

// captures takes the step's values out of its output. Sensitive ones go to the vault, and only their names are returned.
func (a *Actor) captures(n exercise.Node, output string) ([]exercise.Captured, error) {
	var out []exercise.Captured
	for _, c := range n.Captures {
		value, err := capture(c, output)
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", c.Name, err)
		}
		if !c.Sensitive {
			out = append(out, exercise.Captured{Name: c.Name, Value: a.redact.Redact(value)})
			continue
		}
		a.redact.Add(c.Name, value)
		a.mu.Lock()
		if a.vault == nil {
			a.vault = map[string]string{}
		}
		a.vault[c.Name] = value
		a.mu.Unlock()
		out = append(out, exercise.Captured{Name: c.Name, Sensitive: true})
	}
	return out, nil
}

// Keep puts a sensitive value that a person typed into the vault.
func (a *Actor) Keep(name, value string) {
	a.redact.Add(name, value)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.vault == nil {
		a.vault = map[string]string{}
	}
	a.vault[name] = value
}

func (a *Actor) secretCapture(name string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.vault[name]
	return v, ok
}

// capture takes one value.
func capture(c exercise.Capture, output string) (string, error) {
	switch {
	case c.JSON != "":
		return jsonValue(c.JSON, output)
	case c.Regexp != "":
		re, err := regexp.Compile(c.Regexp)
		if err != nil {
			return "", err
		}
		found := re.FindStringSubmatch(output)
		if len(found) < 2 {
			return "", fmt.Errorf("nothing in the output matches %q", c.Regexp)
		}
		return found[1], nil
	}
	value := strings.TrimSpace(output)
	if value == "" {
		return "", fmt.Errorf("the output is empty")
	}
	return value, nil
}

func jsonValue(path, output string) (string, error) {
	p, err := probe.ParsePath(path)
	if err != nil {
		return "", err
	}
	dec := json.NewDecoder(strings.NewReader(output))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return "", fmt.Errorf("read output as json: %w", err)
	}
	v, ok := p.Find(doc)
	if !ok {
		return "", fmt.Errorf("there is nothing at %s", path)
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}
