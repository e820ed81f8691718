package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/proc"
)

// How long a plug-in may take. All looks and a revert together stay below what a holder allows.
const (
	planTime    = 10 * time.Second
	injectTime  = 60 * time.Second
	confirmTime = 4 * time.Second
	revertTime  = 10 * time.Second
	residueTime = 4 * time.Second
)

// slack is how much later than the limit a fault may end by itself: most services count in minutes.
const slack = time.Minute

// Caller brings a request to a plug-in, and its reply back. It ends what it started when the context ends.
type Caller interface {
	// Name is how a person calls the plug-in.
	Name() string
	// Place is where it is called; it is kept, and given back to every call, also in another process.
	Place() (string, error)
	// Call is one request. Before the plug-in begins, started gets the process group that it runs in, or 0.
	Call(ctx context.Context, place string, request []byte, started func(group int) error) ([]byte, error)
}

// Spoken is the target of a plug-in that speaks the protocol.
type Spoken struct {
	Via      Caller
	Config   map[string]any
	Fidelity fault.Fidelity
	// Elsewhere says that whatever it breaks is not on this host.
	Elsewhere bool
}

// spokenUndo is how far a plug-in came.
type spokenUndo struct {
	ID       string      `json:"id"`
	Exercise string      `json:"exercise,omitempty"`
	Place    string      `json:"place"`
	Class    fault.Class `json:"class"`
	// Undo is the plug-in's own, as it said it last.
	Undo json.RawMessage `json:"undo,omitempty"`
	// Begun says that it may have been asked to inject, Injected that it has said that it did.
	Begun    bool `json:"begun,omitempty"`
	Injected bool `json:"injected,omitempty"`
	// Reverting says that it may have been asked to revert.
	Reverting bool `json:"reverting,omitempty"`
	// Group leads the process group of the injection, Undoing that of the revert.
	Group   *proc.Process `json:"group,omitempty"`
	Undoing *proc.Process `json:"undoing,omitempty"`
}

func readSpoken(undo json.RawMessage) (spokenUndo, error) {
	var u spokenUndo
	if err := json.Unmarshal(undo, &u); err != nil {
		return u, fmt.Errorf("read undo: %w", err)
	}
	return u, nil
}

func (u spokenUndo) save(save fault.Save) error {
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return save(b)
}

// request is what to ask.
func (s Spoken) request(do Verb, u spokenUndo) Request {
	q := Request{Version: Version, Do: do, ID: u.ID, Exercise: u.Exercise, Config: s.Config, Undo: u.Undo}
	if q.Config == nil {
		q.Config = map[string]any{}
	}
	return q
}

// call is one request and its reply.
func (s Spoken) call(ctx context.Context, place string, q Request, bound time.Duration, started func(int) error) (Reply, error) {
	do := q.Do
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a shell script must be able to read it
	if err := e.Encode(q); err != nil {
		return Reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if started == nil {
		started = func(int) error { return nil }
	}
	answer, err := s.Via.Call(ctx, place, b.Bytes(), started)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no reply to %s within %s: %w", do, bound, err)
	}
	var r Reply
	if err == nil {
		r, err = ParseReply(do, answer)
	}
	if err == nil && r.Error != "" {
		err = fmt.Errorf("%w: %s", ErrSaid, r.Error)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", s.Via.Name(), err)
	}
	return r, nil
}

// Plan asks for the plan, and makes sure that the plug-in does not see the fault before there is one.
func (s Spoken) Plan(ctx context.Context, ask fault.Ask) (fault.Plan, error) {
	u := spokenUndo{ID: ask.ID, Exercise: ask.Exercise}
	var err error
	if u.Place, err = s.Via.Place(); err != nil {
		return fault.Plan{}, err
	}
	q := s.request(DoPlan, u)
	if ask.Limit > 0 {
		q.Limit = ask.Limit.String()
	}
	r, err := s.call(ctx, u.Place, q, planTime, nil)
	if err != nil {
		return fault.Plan{}, err
	}
	if r.Refused != "" {
		return fault.Plan{}, fmt.Errorf("%s refuses: %s", s.Via.Name(), r.Refused)
	}
	p := fault.Plan{
		Target: r.Target, Class: r.Class, Fidelity: s.Fidelity, Changes: r.Changes, Radius: r.Radius, Needs: r.Needs,
		Mechanism: "plug-in " + s.Via.Name(), Elsewhere: s.Elsewhere || r.Elsewhere, Production: r.Production,
		Claims: append([]string{"plug-in " + s.Via.Name() + ": " + r.Target}, r.Claims...),
	}
	if p.Fidelity == "" {
		p.Fidelity = r.Fidelity
	}
	if p.Fidelity == "" {
		p.Fidelity = fault.Process
	}
	if ends, _ := time.ParseDuration(r.EndsAfter); ends > 0 {
		if ask.Limit > 0 && ends > ask.Limit+slack {
			return fault.Plan{}, fmt.Errorf("%s: the fault would end by itself after %s only, and its limit is %s", s.Via.Name(), ends, ask.Limit)
		}
		p.EndsThere = true
	}
	u.Class, u.Undo = r.Class, r.Undo
	seen, err := s.call(ctx, u.Place, s.request(DoConfirm, u), confirmTime, nil)
	if err != nil {
		return fault.Plan{}, fmt.Errorf("look before the fault: %w", err)
	}
	if seen.Seen != "" {
		return fault.Plan{}, fmt.Errorf("%s sees the fault already: %s", s.Via.Name(), seen.Seen)
	}
	p.Undo, err = json.Marshal(u)
	return p, err
}

// Inject asks for the injection. What the plug-in says about its undo is kept, also when it failed half way.
func (s Spoken) Inject(ctx context.Context, undo json.RawMessage, save fault.Save) error {
	u, err := readSpoken(undo)
	if err != nil {
		return err
	}
	r, err := s.call(ctx, u.Place, s.request(DoInject, u), injectTime, func(group int) error {
		u.Begun = true
		if group > 0 {
			i, err := proc.Look(group)
			if err != nil {
				return err
			}
			u.Group = &i.Process
		}
		return u.save(save)
	})
	if r.Undo != nil {
		u.Undo = r.Undo
	}
	u.Injected = err == nil
	if serr := u.save(save); serr != nil {
		return errors.Join(err, serr)
	}
	return err
}

func (s Spoken) Confirm(ctx context.Context, undo json.RawMessage) (string, error) {
	u, err := readSpoken(undo)
	if err != nil {
		return "", err
	}
	r, err := s.call(ctx, u.Place, s.request(DoConfirm, u), confirmTime, nil)
	if err != nil {
		return "", err
	}
	if r.Seen == "" {
		return "", fmt.Errorf("%s does not see the fault", s.Via.Name())
	}
	return r.Seen, nil
}

// Revert ends what is still at work, and then asks the plug-in to take back what is still as it left it.
func (s Spoken) Revert(ctx context.Context, undo json.RawMessage, save fault.Save) (fault.Outcome, error) {
	u, err := readSpoken(undo)
	if err != nil || !u.Begun {
		return fault.Outcome{}, err
	}
	if u.Group != nil && !u.Injected {
		if err := endInjection(*u.Group); err != nil {
			return fault.Outcome{}, err
		}
	}
	if u.Undoing != nil {
		if _, err := proc.Find(*u.Undoing); err == nil {
			if err := endInjection(*u.Undoing); err != nil {
				return fault.Outcome{}, err
			}
		}
	}
	if u.Class == fault.OneShot {
		return fault.Outcome{}, nil
	}
	q := s.request(DoRevert, u)
	q.Again = u.Reverting
	u.Reverting = true
	r, err := s.call(ctx, u.Place, q, revertTime, func(group int) error {
		if group > 0 {
			if i, err := proc.Look(group); err == nil {
				u.Undoing = &i.Process
			}
		}
		// A mark that cannot be saved must not keep the fault alive.
		_ = u.save(save)
		return nil
	})
	if r.Undo != nil {
		u.Undo = r.Undo
		_ = u.save(save)
	}
	if err != nil || !u.Injected { // what was never finished cannot have been changed by a recovery
		return fault.Outcome{}, err
	}
	return fault.Outcome{Superseded: r.Superseded}, nil
}

// Residue asks what is left.
func (s Spoken) Residue(ctx context.Context, undo json.RawMessage) ([]string, error) {
	u, err := readSpoken(undo)
	if err != nil || !u.Begun || u.Class == fault.OneShot {
		return nil, err
	}
	r, err := s.call(ctx, u.Place, s.request(DoResidue, u), residueTime, nil)
	return r.Residue, err
}
