package exercisetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/exercise"
	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/measure"
)

// Plan makes a plan out of a script's first block: "plan MODE key=value …" and one line a step,
// "ID PROCEDURE KIND key=value …".
func Plan(b Block) (exercise.Plan, error) {
	words := strings.Fields(b.Command)
	p := exercise.Plan{
		Machine: exercise.MachineVersion, ID: "E1", Application: "shop", Scenario: "api-failure", Title: "API failure",
		Class: "disaster-recovery", Severity: "critical", Environment: "staging", Mode: exercise.Automatic, Runner: "bob", Lead: "alice",
		Planned: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Covers: []string{"api"},
		Probes: []exercise.Probe{
			{Name: "api/books", Service: "api", Primary: true, Check: check("http")},
			{Name: "cdn/status", Service: "cdn", Check: check("http")},
		},
		Fault: &fault.Spec{Kind: "process", Config: json.RawMessage(`{}`)}, Limit: time.Hour,
		Pace:     measure.Pace{Period: time.Second, Timeout: time.Second, Window: 5 * time.Second},
		Baseline: time.Second, BaselineLimit: 8 * time.Second, TimeBox: time.Hour, Grace: 30 * time.Second, RTO: time.Minute, RecoversBy: "procedure",
	}
	for _, w := range words[1:] {
		if err := planWord(&p, w); err != nil {
			return p, err
		}
	}
	for _, line := range b.Input {
		n, err := node(line)
		if err != nil {
			return p, err
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p, nil
}

func planWord(p *exercise.Plan, w string) error {
	key, value, _ := strings.Cut(w, "=")
	d, _ := time.ParseDuration(value)
	switch key {
	case "guided", "assisted", "automatic":
		p.Mode = exercise.Mode(key)
	case "rto":
		p.RTO = d
	case "rpo":
		p.RPO = d
	case "recovers_by":
		p.RecoversBy = value
	case "canary":
		p.Canaries = []exercise.Canary{{Service: "api", Check: check("http")}}
	case "notice":
		p.Notices = append(p.Notices, exercise.Notice{
			When: "always", Who: []string{value}, How: []string{"phone"}, Within: 15 * time.Minute, Text: "It began \uE000since\uE001",
		})
	case "two":
		p.Covers = append(p.Covers, "cdn")
		p.Probes[1].Primary = true
	default:
		return fmt.Errorf("read plan: unknown word %q", w)
	}
	return nil
}

func check(kind string) exercise.Check {
	return exercise.Check{Kind: kind, Config: json.RawMessage(`{}`)}
}

// node reads one step.
func node(line string) (exercise.Node, error) {
	words := strings.Fields(line)
	if len(words) < 3 {
		return exercise.Node{}, fmt.Errorf("read step: %q has no procedure and kind", line)
	}
	n := exercise.Node{
		ID: words[0], Procedure: words[1], Kind: exercise.NodeKind(words[2]), Text: "do " + words[0], Timeout: time.Minute,
		Repeat: "ask", OK: "next", Failed: "stop",
	}
	if n.Kind == exercise.NodeCheck {
		c := check("http")
		n.Check = &c
	}
	for _, w := range words[3:] {
		key, value, _ := strings.Cut(w, "=")
		one := check(value)
		switch key {
		case "ok":
			n.OK = value
		case "failed":
			n.Failed = value
		case "repeat":
			n.Repeat = value
		case "by":
			n.By = value
		case "retry":
			if _, err := fmt.Sscan(value, &n.Retry); err != nil {
				return n, fmt.Errorf("read step: %w", err)
			}
		case "optional":
			n.Optional = true
		case "no_return":
			n.NoReturn = true
		case "if":
			n.If = &one
		case "expect":
			n.Expect = &one
		case "capture":
			n.Captures = append(n.Captures, exercise.Capture{Name: value})
		case "secret":
			n.Captures = append(n.Captures, exercise.Capture{Name: value, Sensitive: true})
		case "argv":
			n.Argv = strings.Split(strings.NewReplacer("<", "\uE000", ">", "\uE001").Replace(value), ",")
		case "option":
			n.Options = append(n.Options, option(value))
		default:
			return n, fmt.Errorf("read step: unknown word %q", w)
		}
	}
	return n, nil
}

// option reads ID:GOTO, or ID:GOTO:KIND for one with a condition.
func option(value string) exercise.Option {
	parts := strings.Split(value, ":")
	o := exercise.Option{ID: parts[0], Goto: parts[1]}
	if len(parts) > 2 {
		c := check(parts[2])
		o.If = &c
	}
	return o
}
