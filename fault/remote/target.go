package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/hold"
	"github.com/belay-dr/belay/reach/ssh"
)

// target holds a fault on another host.
type target struct {
	Fault
	host ssh.Host
	// line is the connection that holds it, in the process that injected.
	line *line
}

// undo is what a stranger needs to end the fault and to see that it has ended.
type undo struct {
	// ID is the fault's on the other host, and Dir how the name of the directory of its holder program begins.
	ID  string `json:"id"`
	Dir string `json:"dir"`
	// System and Arch are what the other host is, in Go's words.
	System string `json:"system"`
	Arch   string `json:"arch"`
	// Request is the line that the other holder reads.
	Request json.RawMessage `json:"request"`
	// Ends says by when the fault ends there without us: three missed beats.
	Ends time.Duration `json:"ends_ns"`
}

func readUndo(b json.RawMessage) (u undo, err error) {
	if err := json.Unmarshal(b, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

// Plan asks the other host. It puts the holder program there for that and lets it remove itself.
func (t *target) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := undo{ID: ask.ID + "-there", Dir: "belay-hold-" + ask.ID, Ends: 3 * DefaultBeat}
	r := hold.Request{
		ID: u.ID, Exercise: ask.Exercise, Permit: ask.Permit, NoPlaybook: ask.NoPlaybook, Production: ask.Production,
		Fault: t.Fault.Fault, Netns: t.Netns, Limit: ask.Limit, Beat: DefaultBeat,
	}
	if r.Limit == 0 {
		r.Limit = time.Minute // it is only a plan
	}
	var err error
	if u.Request, err = json.Marshal(r); err != nil {
		return fault.Plan{}, err
	}
	uname, err := t.host.Run(ctx, "uname -sm", nil)
	if err != nil {
		return fault.Plan{}, err
	}
	if u.System, u.Arch, err = platform(string(uname)); err != nil {
		return fault.Plan{}, fmt.Errorf("on %s: %w", t.host, err)
	}
	a, err := t.answer(ctx, u, append(u.Request, '\n'), "plan")
	if err != nil {
		return fault.Plan{}, err
	}
	if a.Plan == nil {
		return fault.Plan{}, fmt.Errorf("%s has no plan", t.host)
	}
	p := *a.Plan
	p.Target += " on " + t.host.String()
	p.Changes = append([]string{"put belay-hold on " + t.host.String() + " for as long as the fault lives"}, p.Changes...)
	// Paths there are no paths here.
	p.Claims = append(p.Claims, p.Touches...)
	p.Touches = nil
	for n, c := range p.Claims {
		p.Claims[n] = t.Where + " " + c
	}
	if p.Mechanism != "" {
		p.Mechanism += ", "
	}
	p.Mechanism += "held over ssh, ends there " + u.Ends.String() + " after the last beat"
	p.Undo, err = json.Marshal(u)
	return p, err
}

// answer asks a fresh holder program there for one answer.
func (t *target) answer(ctx context.Context, u undo, stdin []byte, args ...string) (hold.Answer, error) {
	var a hold.Answer
	s, err := deploy(ctx, t.host, u)
	if err != nil {
		return a, err
	}
	out, err := t.host.Run(ctx, s.line(args...), bytes.NewReader(stdin))
	if u.System != "linux" {
		// Only there a program removes its own file as it starts.
		_, rerr := t.host.Run(ctx, ssh.Quote("rm", "-rf", s.dir), nil)
		err = errors.Join(err, rerr)
	}
	if jerr := json.Unmarshal(out, &a); jerr != nil {
		if err == nil {
			err = fmt.Errorf("on %s: belay-hold answered %.200q", t.host, out)
		}
		_, lerr := left(ctx, t.host, u.Dir, true)
		return a, errors.Join(err, lerr)
	}
	if a.Error != "" {
		err = fmt.Errorf("on %s: %s", t.host, strings.TrimPrefix(a.Error, hold.ErrRefused.Error()+": plan fault: "))
	}
	return a, err
}

// Inject starts the holder there and returns once it holds.
func (t *target) Inject(ctx context.Context, b json.RawMessage, _ fault.Save) error {
	u, err := readUndo(b)
	if err != nil {
		return err
	}
	s, err := deploy(ctx, t.host, u)
	if err != nil {
		return err
	}
	t.line, err = dial(s, u)
	if err != nil {
		return err
	}
	return t.line.holding(ctx)
}

// Confirm is what the other holder saw.
func (t *target) Confirm(ctx context.Context, b json.RawMessage) (string, error) {
	u, err := readUndo(b)
	if err != nil {
		return "", err
	}
	var st fault.Status
	if t.line != nil {
		st = t.line.status()
	} else if st, err = t.ask(ctx, u); err != nil {
		return "", err
	}
	if st.Confirmed == "" {
		return "", fmt.Errorf("%s has not seen an effect", t.host)
	}
	return "on " + t.host.String() + ": " + st.Confirmed, nil
}

// Lost is closed when the connection ends, or the fault does there.
func (t *target) Lost() <-chan struct{} {
	if t.line == nil {
		return nil
	}
	return t.line.done
}

// ask returns the status of the fault there.
func (t *target) ask(ctx context.Context, u undo) (fault.Status, error) {
	a, err := t.answer(ctx, u, nil, "status", u.ID)
	if len(a.Faults) == 1 {
		return a.Faults[0], err
	}
	return fault.Status{}, err
}

// Revert ends the fault and waits until the other host says that it has ended. When the connection is gone, it asks again
// over a new one. Without an answer the fault is not called reverted, although its beats have stopped and it ends there by itself.
func (t *target) Revert(ctx context.Context, b json.RawMessage, _ fault.Save) (fault.Outcome, error) {
	u, err := readUndo(b)
	if err != nil {
		return fault.Outcome{}, err
	}
	st, known := fault.Status{}, false
	if t.line != nil {
		st, known = t.line.release(ctx)
	}
	if !known {
		if st, known, err = t.settle(ctx, u); err != nil {
			return fault.Outcome{}, err
		}
	}
	if !known {
		return fault.Outcome{}, nil // it never began there
	}
	return fault.Outcome{Superseded: st.Superseded, Kept: at(t.host, st.Kept), Lost: alone(st.Cause)}, nil
}

// alone says that the other holder ended the fault without having been asked to: its beats stopped, or somebody there ended it.
// Nobody here can tell when. Its limit is ours.
func alone(cause string) bool {
	switch cause {
	case "released", "revert", "limit", "":
		return false
	}
	return true
}

// settle asks the other host to end the fault. That it knows none is an answer too, but only once no holder can be on its way to
// one any more: it may be making its plan, and not know yet that its connection has ended.
func (t *target) settle(ctx context.Context, u undo) (st fault.Status, known bool, err error) {
	a, err := t.answer(ctx, u, nil, "revert", u.ID)
	if a.Unknown && (t.line == nil || !t.line.refused()) {
		select {
		case <-time.After(u.Ends):
		case <-ctx.Done():
			return st, false, ctx.Err()
		}
		a, err = t.answer(ctx, u, nil, "revert", u.ID)
	}
	if a.Unknown {
		return st, false, nil
	}
	if err != nil {
		if errors.Is(err, ssh.ErrUnreachable) {
			err = fmt.Errorf("%w (the fault ends there by itself %s after the last beat, but nobody has seen that)", err, u.Ends)
		}
		return st, false, err
	}
	if len(a.Faults) != 1 {
		return st, false, fmt.Errorf("on %s: belay-hold says nothing of %s", t.host, u.ID)
	}
	return a.Faults[0], true, nil
}

// at marks paths as those of another host.
func at(host ssh.Host, paths []string) []string {
	var out []string
	for _, p := range paths {
		out = append(out, host.String()+":"+p)
	}
	return out
}

// Residue is what the other host still has of the fault: its program, and what its own holder says.
func (t *target) Residue(ctx context.Context, b json.RawMessage) ([]string, error) {
	u, err := readUndo(b)
	if err != nil {
		return nil, err
	}
	dirs, err := left(ctx, t.host, u.Dir, true)
	if err != nil {
		return nil, err
	}
	if len(dirs) > 0 {
		if dirs, err = left(ctx, t.host, u.Dir, false); err != nil {
			return nil, err
		}
	}
	out := at(t.host, dirs)
	if t.line != nil {
		out = append(out, at(t.host, t.line.status().Residue)...)
	}
	return out, nil
}
