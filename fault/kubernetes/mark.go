package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/belay-dr/belay/fault"
)

// Label is on every object that a fault changed or made, with the fault's ID.
const Label = "belay.dev/fault"

// mark is what a fault leaves at its target so that others see whose it is and how it was.
type mark struct {
	// ID is the fault's, in the form of a label.
	ID string `json:"id"`
	// Note is the annotation: the old value, the limit, the exercise.
	Note string `json:"note"`
}

// note is the annotation's content.
type note struct {
	Fault string `json:"fault"`
	// Was is the old value: replicas, or nothing where the old value is that there was nothing.
	Was any `json:"was,omitempty"`
	// Until is when the fault ends at the latest.
	Until    string `json:"until,omitempty"`
	Exercise string `json:"exercise,omitempty"`
}

func newMark(ask fault.Ask, was any, now time.Time) (mark, error) {
	n := note{Fault: ask.ID, Was: was, Exercise: ask.Exercise}
	if ask.Limit > 0 {
		n.Until = now.Add(ask.Limit).UTC().Format(time.RFC3339)
	}
	b, err := json.Marshal(n)
	return mark{ID: short(ask.ID, 57), Note: string(b)}, err
}

// annotation is the key of the note.
func (m mark) annotation() string { return "belay.dev/fault-" + m.ID }

// on says whether an object has the mark.
func (m mark) on(o *unstructured.Unstructured) bool {
	_, noted := o.GetAnnotations()[m.annotation()]
	return noted || o.GetLabels()[Label] == m.ID
}

// set and unset are what a merge patch says of the metadata.
func (m mark) set() map[string]any {
	return map[string]any{"labels": map[string]any{Label: m.ID}, "annotations": map[string]any{m.annotation(): m.Note}}
}

func (m mark) unset() map[string]any {
	return map[string]any{"labels": map[string]any{Label: nil}, "annotations": map[string]any{m.annotation(): nil}}
}

// selector finds the objects with the mark.
func (m mark) selector() string { return Label + "=" + m.ID }

// object is a name for an object of this fault.
func (m mark) object() string { return "belay-" + named(m.ID) }

// named is an ID as the name of an object. Those have neither capitals nor underscores, so one that loses some gets a hash.
func named(id string) string {
	plain := strings.ReplaceAll(strings.ToLower(id), "_", "-")
	if plain == id {
		return id
	}
	return short(plain, 40) + "-" + hash(id)
}

// short is an ID as a label: at most so many characters, the last of them a letter or digit.
func short(id string, most int) string {
	if len(id) <= most && !strings.HasSuffix(id, "-") && !strings.HasSuffix(id, "_") {
		return id
	}
	return strings.TrimRight(id[:min(len(id), most-9)], "-_") + "-" + hash(id)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}
