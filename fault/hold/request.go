package hold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/belay-dr/belay/fault"
)

// MaxLimit is the longest that a fault may be held.
const MaxLimit = 24 * time.Hour

// Request is what a holder is asked to do: the one JSON line that it reads first.
type Request struct {
	// ID names the fault; empty lets the holder choose one. An ID can be used once.
	ID string
	// Exercise is the exercise that the fault belongs to.
	Exercise string
	// Permit is the guard's. Without one, NoPlaybook must give a reason and nothing of production may be touched.
	Permit     *fault.Permit
	NoPlaybook string
	// Production says that the target belongs to production.
	Production bool
	// Fault is one fault. Faults are several instead, that one holder holds: they begin in this order and end together.
	Fault  fault.Spec
	Faults []fault.Spec
	// Netns is the network namespace in which they are made. Only faults of the network know one.
	Netns string
	// Limit is mandatory: the fault ends then, whatever else happens.
	Limit time.Duration
	// Beat is how often a line must arrive; after three missed ones the fault ends. 0 waits for end-of-file only.
	Beat time.Duration
}

// wire is Request as it is written.
type wire struct {
	ID         string        `json:"id,omitempty"`
	Exercise   string        `json:"exercise,omitempty"`
	Permit     *fault.Permit `json:"permit,omitempty"`
	NoPlaybook string        `json:"no_playbook,omitempty"`
	Production bool          `json:"production,omitempty"`
	Fault      *fault.Spec   `json:"fault,omitempty"`
	Faults     []fault.Spec  `json:"faults,omitempty"`
	Netns      string        `json:"netns,omitempty"`
	Limit      string        `json:"limit"`
	Beat       string        `json:"beat,omitempty"`
}

// MarshalJSON writes the line that ParseRequest reads.
func (r Request) MarshalJSON() ([]byte, error) {
	w := wire{
		ID: r.ID, Exercise: r.Exercise, Permit: r.Permit, NoPlaybook: r.NoPlaybook, Production: r.Production,
		Faults: r.Faults, Netns: r.Netns, Limit: r.Limit.String(),
	}
	if len(r.Faults) == 0 {
		w.Fault = &r.Fault
	}
	if r.Beat > 0 {
		w.Beat = r.Beat.String()
	}
	return json.Marshal(w)
}

// ParseRequest reads one request, strictly: an unknown field is an error.
func ParseRequest(line []byte) (Request, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	var w wire
	if err := d.Decode(&w); err != nil {
		return Request{}, fmt.Errorf("read request: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Request{}, errors.New("read request: more than one JSON value on the line")
	}
	r := Request{
		ID: w.ID, Exercise: w.Exercise, Permit: w.Permit, NoPlaybook: w.NoPlaybook, Production: w.Production,
		Faults: w.Faults, Netns: w.Netns,
	}
	switch {
	case w.Fault == nil && len(w.Faults) == 0:
		return Request{}, errors.New("read request: fault is missing")
	case w.Fault != nil && len(w.Faults) > 0:
		return Request{}, errors.New("read request: fault and faults are both there: give one of them")
	case w.Fault != nil:
		r.Fault = *w.Fault
	}
	var err error
	if w.Limit == "" {
		return Request{}, errors.New(`read request: limit is missing: every fault needs one, for example "limit": "30s"`)
	}
	if r.Limit, err = time.ParseDuration(w.Limit); err != nil {
		return Request{}, fmt.Errorf("read request: limit: %w", err)
	}
	if w.Beat != "" {
		if r.Beat, err = time.ParseDuration(w.Beat); err != nil {
			return Request{}, fmt.Errorf("read request: beat: %w", err)
		}
		if r.Beat <= 0 {
			return Request{}, fmt.Errorf("read request: beat is %s; it must be above zero", w.Beat)
		}
	}
	return r, r.check()
}

// ids are the fault IDs that are safe as file names.
const ids = `^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`

func (r Request) check() error {
	switch {
	case r.Limit <= 0:
		return fmt.Errorf("read request: limit is %s; it must be above zero", r.Limit)
	case r.Limit > MaxLimit:
		return fmt.Errorf("read request: limit is %s; the longest is %s", r.Limit, MaxLimit)
	case r.Beat < 0 || r.Beat > 0 && r.Beat < 10*time.Millisecond:
		return fmt.Errorf("read request: beat is %s; the shortest is 10ms", r.Beat)
	case r.ID != "" && !regexp.MustCompile(ids).MatchString(r.ID):
		return fmt.Errorf("read request: id %q: only letters, digits, - and _, at most 64", r.ID)
	}
	return nil
}

// maxFaults is how many faults one holder holds at most.
const maxFaults = 100

// Spec is what is to be broken, as one spec, with the namespace written into it.
func (r Request) Spec() (fault.Spec, error) {
	specs := r.Faults
	if len(specs) == 0 {
		specs = []fault.Spec{r.Fault}
	}
	if len(specs) > maxFaults {
		return fault.Spec{}, fmt.Errorf("read request: %d faults; one holder holds at most %d", len(specs), maxFaults)
	}
	if r.Netns != "" {
		specs = slices.Clone(specs)
		for n, s := range specs {
			var err error
			if specs[n], err = inNamespace(s, r.Netns); err != nil {
				return fault.Spec{}, err
			}
		}
	}
	if len(specs) == 1 {
		return specs[0], nil
	}
	return fault.Group(specs)
}

// inNamespace writes the namespace into a config. One that knows none is refused when it is decoded.
func inNamespace(s fault.Spec, name string) (fault.Spec, error) {
	var config map[string]json.RawMessage
	if err := json.Unmarshal(s.Config, &config); err != nil || config == nil {
		return s, fmt.Errorf("read request: netns: the fault %s has no network namespace", s.Kind)
	}
	if _, there := config["netns"]; there {
		return s, errors.New("read request: netns: the fault names its own")
	}
	var err error
	if config["netns"], err = json.Marshal(name); err != nil {
		return s, err
	}
	s.Config, err = json.Marshal(config)
	return s, err
}

// ErrRefused says that the request is in order but may not be carried out.
var ErrRefused = errors.New("refused")

// allowed refuses what has neither a valid permit nor a reason, and production without a permit. markedProduction says
// that this host is marked as production (see productionMark).
func (r Request) allowed(now time.Time, markedProduction bool) error {
	p := r.Permit
	if p == nil {
		switch {
		case r.Production || markedProduction:
			return fmt.Errorf("%w: a fault in production needs a permit", ErrRefused)
		case r.NoPlaybook == "":
			return fmt.Errorf(`%w: no permit: let an exercise ask for one, or give "no_playbook": "reason" outside production`, ErrRefused)
		}
		return nil
	}
	switch {
	case p.Exercise == "" || p.Environment == "" || p.Plan == "":
		return fmt.Errorf("%w: the permit names no exercise, environment or plan", ErrRefused)
	case p.Expires.IsZero() || !now.Before(p.Expires):
		return fmt.Errorf("%w: the permit expired at %s", ErrRefused, p.Expires.UTC().Format(time.RFC3339))
	case (r.Production || markedProduction) && !p.Production:
		return fmt.Errorf("%w: the permit is for %s, which is not production, but the target is", ErrRefused, p.Environment)
	case r.Exercise != "" && r.Exercise != p.Exercise:
		return fmt.Errorf("%w: the permit is for exercise %s, not %s", ErrRefused, p.Exercise, r.Exercise)
	}
	return nil
}
