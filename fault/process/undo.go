package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// processUndo is the undo of faults that do the same to each process.
type processUndo struct {
	Victims []proc.Process `json:"victims"`
	// Signal says that a pause was made with SIGSTOP.
	Signal bool `json:"signal,omitempty"`
	// Tracer is the thread that traces them; 0 until they are.
	Tracer int `json:"tracer,omitempty"`
}

func readUndo(undo json.RawMessage) (u processUndo, err error) {
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// plan is the plan of a fault that does the same to each process.
func (v Victim) plan(class fault.Class, verb, mechanism string) (fault.Plan, error) {
	found, err := v.Find()
	if err != nil {
		return fault.Plan{}, err
	}
	p := fault.Plan{Class: class, Fidelity: fault.Process, Mechanism: mechanism}
	var undo processUndo
	var names []string
	for _, i := range found {
		if i.State == proc.Stopped || i.State == proc.Traced {
			return fault.Plan{}, fmt.Errorf("%s is stopped or traced already: `belay fault list` shows whether a fault holds it", i)
		}
		undo.Victims = append(undo.Victims, i.Process)
		names = append(names, i.String())
		p.Changes = append(p.Changes, verb+" "+i.String())
		p.Claims = append(p.Claims, fmt.Sprintf("process %d", i.PID))
	}
	p.Target = strings.Join(names, ", ")
	if v.PIDFile != "" {
		p.Target += " of " + filepath.Base(v.PIDFile)
	}
	if v.Unit != "" {
		p.Target += " of " + v.Unit
	}
	p.Radius = []string{fmt.Sprintf("%d of at most %d processes, and whoever waits for them", len(found), max(1, v.Max))}
	p.Undo, err = json.Marshal(undo)
	return p, err
}

func signalAll(undo json.RawMessage, sig unix.Signal) error {
	u, err := readUndo(undo)
	if err != nil {
		return err
	}
	for _, p := range u.Victims {
		if err := proc.Signal(p, sig); err != nil {
			return fmt.Errorf("process %d: %w", p.PID, err)
		}
	}
	return nil
}

// seen looks at each process and says what it saw, or what it still waits for.
func seen(undo json.RawMessage, what string, is func(proc.Info, error) bool) (string, error) {
	u, err := readUndo(undo)
	if err != nil {
		return "", err
	}
	var out []string
	for _, p := range u.Victims {
		i, err := proc.Find(p)
		if err != nil && !errors.Is(err, proc.ErrGone) {
			return "", err
		}
		if !is(i, err) {
			return "", fmt.Errorf("process %d is not %s", p.PID, what)
		}
		out = append(out, fmt.Sprintf("process %d is %s", p.PID, what))
	}
	return strings.Join(out, ", "), nil
}
