package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The pace of the Bookstore's playbook in staging. Wider bounds than 2 x (period + timeout) mean that the observer slept.
const (
	period  = 400 * time.Millisecond
	timeout = 350 * time.Millisecond
)

// truth is one line of what the Bookstore's own supervisor wrote down.
type truth struct {
	T       int64  `json:"t_ns"`
	Service string `json:"service"`
	State   string `json:"state"`
}

func readTruths(t *testing.T, dir string) []truth {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var truths []truth
	for line := range bytes.Lines(text) {
		var one truth
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("read truth %q: %v", line, err)
		}
		truths = append(truths, one)
	}
	return truths
}

// service is the component that a scenario breaks.
func service(scenario string) string { return strings.TrimSuffix(scenario, "-failure") }

// trueOutage is from the first down to the last up of a service while the exercise ran, in milliseconds.
func trueOutage(e exercise, truths []truth, service string) (float64, bool) {
	var down, up int64
	for _, one := range truths {
		at := time.Unix(0, one.T)
		if one.Service != service || at.Before(e.Started) || at.After(e.Ended) {
			continue
		}
		switch {
		case one.State == "down" && down == 0:
			down = one.T
		case one.State == "up" && down != 0:
			up = one.T
		}
	}
	return float64(up-down) / 1e6, down != 0 && up > down
}

// checkTruth wants the true outage inside the bounds.
func checkTruth(t *testing.T, e exercise, truths []truth, service string) {
	t.Helper()
	really, ok := trueOutage(e, truths, service)
	if !ok {
		t.Errorf("%s %s: the supervisor saw no outage of %s", e.Scenario, e.ID, service)
		return
	}
	if len(e.OutageMS) != 2 || e.OutageMS[0] == nil || e.OutageMS[1] == nil {
		t.Errorf("%s: outage %v is no interval", e.Scenario, e.OutageMS)
		return
	}
	lower, upper := *e.OutageMS[0], *e.OutageMS[1]
	t.Logf("%s: [%.1f, %.1f] ms, truly %.1f ms", e.Scenario, lower, upper, really)
	if really < lower || really > upper {
		t.Errorf("%s %s: the true outage of %.1f ms is not in [%.1f, %.1f]", e.Scenario, e.ID, really, lower, upper)
	}
}

// The bounds hold the truth in every run, and are no wider than they need to be.
func TestTruth(t *testing.T) {
	w := newShop(t)
	for range times(3, 50) {
		e := decode[exercise](w, w.ok("exercise", "run", "api-failure", "--env", "staging", "--mode", "automatic",
			"--dir", w.dir, "--json"))
		checkPassed(t, e)
		checkTruth(t, e, readTruths(t, w.dir), "api")
		if widest := 2 * float64((period + timeout).Milliseconds()); len(e.OutageMS) == 2 && e.OutageMS[1] != nil &&
			*e.OutageMS[1]-*e.OutageMS[0] > widest {
			t.Errorf("bounds of %.0f ms, at most %.0f ms", *e.OutageMS[1]-*e.OutageMS[0], widest)
		}
	}
}
