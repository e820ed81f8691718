package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belay-dr/belay/fault"
)

// Version is the version of the protocol that docs/writing-a-plugin.md describes.
const Version = 1

// Verb is what a plug-in is asked to do.
type Verb string

// The verbs, in the order in which they come.
const (
	DoPlan    Verb = "plan"
	DoInject  Verb = "inject"
	DoConfirm Verb = "confirm"
	DoRevert  Verb = "revert"
	DoResidue Verb = "residue"
)

// Request is what a plug-in gets: one JSON object.
type Request struct {
	Version  int    `json:"version"`
	Do       Verb   `json:"do"`
	ID       string `json:"id"`
	Exercise string `json:"exercise,omitempty"`
	// Limit is how long the fault may live at most; only in a plan, and not when it is not known yet.
	Limit string `json:"limit,omitempty"`
	// Config is what the playbook has for it.
	Config map[string]any `json:"config"`
	// Undo is what the plug-in said last; not in a plan.
	Undo json.RawMessage `json:"undo,omitempty"`
	// Again says that revert has been asked before: what is not there any more may be gone by that.
	Again bool `json:"again,omitempty"`
}

// Reply is what it says: one JSON object with the keys that belong to the verb.
type Reply struct {
	Target    string         `json:"target"`
	Class     fault.Class    `json:"class"`
	Fidelity  fault.Fidelity `json:"fidelity"`
	Changes   []string       `json:"changes"`
	Radius    []string       `json:"radius"`
	Needs     []string       `json:"needs"`
	Claims    []string       `json:"claims"`
	Elsewhere bool           `json:"elsewhere"`
	// EndsAfter is after how long the fault ends by itself where it lives, counted from the injection.
	EndsAfter string `json:"ends_after"`
	// Production says by what the target is known to be production's.
	Production string          `json:"production"`
	Undo       json.RawMessage `json:"undo"`
	Seen       string          `json:"seen"`
	Superseded []string        `json:"superseded"`
	Residue    []string        `json:"residue"`
	// Refused says why a plan must not be carried out, Error why something went wrong.
	Refused string `json:"refused"`
	Error   string `json:"error"`
}

const (
	// LargestReply is how long a reply may be.
	LargestReply = 256 << 10
	// largestUndo is how much of it may be undo: it is kept in a record that is written often.
	largestUndo = 64 << 10
	longestText = 1000
	mostTexts   = 100
)

// keys are the keys of a reply to a verb, the ones that must be there first.
func (v Verb) keys() (must, may []string) {
	switch v {
	case DoPlan:
		return []string{"target", "class", "changes"}, []string{"fidelity", "radius", "needs", "claims", "elsewhere", "ends_after", "production", "undo"}
	case DoInject:
		return nil, []string{"undo"}
	case DoConfirm:
		return []string{"seen"}, nil
	case DoRevert:
		return nil, []string{"undo", "superseded"}
	}
	return []string{"residue"}, nil
}

// ErrSaid is an error that the plug-in itself reported. It is no proof that nothing was done.
var ErrSaid = errors.New("the plug-in says")

// ParseReply reads a reply strictly. Whatever cannot be true is an error.
func ParseReply(do Verb, b []byte) (Reply, error) {
	var r Reply
	switch {
	case len(b) > LargestReply:
		return r, fmt.Errorf("reply to %s: longer than %d bytes", do, LargestReply)
	case len(bytes.TrimSpace(b)) == 0:
		return r, fmt.Errorf("reply to %s: it is empty", do)
	case !utf8.Valid(b):
		return r, fmt.Errorf("reply to %s: it is not UTF-8", do)
	}
	var given map[string]json.RawMessage
	if err := fault.StrictJSON(b, &given); err != nil {
		return r, fmt.Errorf("reply to %s: not one JSON object: %w", do, err)
	}
	if given == nil {
		return r, fmt.Errorf("reply to %s: not one JSON object", do)
	}
	must, may := do.keys()
	bad := len(given) == 0 && len(must) > 0
	if _, ok := given["error"]; ok {
		must, may = nil, []string{"error", "undo"}
	} else if _, ok := given["refused"]; ok && do == DoPlan {
		must, may = nil, []string{"refused"}
	}
	for key := range given {
		if !slices.Contains(must, key) && !slices.Contains(may, key) {
			return r, fmt.Errorf("reply to %s: the key %q does not belong there", do, key)
		}
	}
	for _, key := range must {
		if _, ok := given[key]; !ok || bad {
			return r, fmt.Errorf("reply to %s: %s is missing", do, key)
		}
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("reply to %s: %w", do, err)
	}
	if err := r.check(do); err != nil {
		return r, fmt.Errorf("reply to %s: %w", do, err)
	}
	return r, nil
}

// check refuses texts that no person could read, and more than a record can hold.
func (r Reply) check(do Verb) error {
	if len(r.Undo) > largestUndo {
		return fmt.Errorf("undo: longer than %d bytes", largestUndo)
	}
	for key, text := range map[string]string{"target": r.Target, "production": r.Production, "seen": r.Seen, "refused": r.Refused, "error": r.Error} {
		if err := readable(text); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for key, list := range map[string][]string{
		"changes": r.Changes, "radius": r.Radius, "needs": r.Needs, "claims": r.Claims, "superseded": r.Superseded, "residue": r.Residue,
	} {
		if len(list) > mostTexts {
			return fmt.Errorf("%s: more than %d", key, mostTexts)
		}
		for _, text := range list {
			if err := readable(text); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			if text == "" {
				return fmt.Errorf("%s: an empty text", key)
			}
		}
	}
	if do == DoPlan && r.Refused == "" && r.Error == "" {
		return r.checkPlan()
	}
	return nil
}

func readable(text string) error {
	if len(text) > longestText {
		return fmt.Errorf("a text longer than %d bytes", longestText)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) }) {
		return errors.New("a text with a line break or another control character")
	}
	return nil
}

// checkPlan refuses plans that say nothing or what cannot be.
func (r Reply) checkPlan() error {
	switch {
	case r.Target == "":
		return errors.New("target is empty")
	case len(r.Changes) == 0:
		return errors.New("changes is empty: say what will be changed")
	case r.Fidelity != "" && r.Fidelity.Rank() < 0:
		return fmt.Errorf("fidelity %q: must be signal, network, process, host, zone, region or data", r.Fidelity)
	case r.Class != fault.Restore && r.Class != fault.OneShot && r.Class != fault.SelfEnding:
		return fmt.Errorf("class %q: must be restore, one-shot or self-ending", r.Class)
	case r.Class == fault.SelfEnding && r.EndsAfter == "":
		return errors.New("class self-ending needs ends_after: nothing else could end it without the plug-in")
	case r.Class == fault.OneShot && r.EndsAfter != "":
		return errors.New("class one-shot and ends_after: what is over at once has no end to come")
	}
	if r.EndsAfter == "" {
		return nil
	}
	if d, err := time.ParseDuration(r.EndsAfter); err != nil || d <= 0 {
		return fmt.Errorf("ends_after %q: must be a time with a unit", r.EndsAfter)
	}
	return nil
}
