// Package remote makes a fault on another host without an agent there: it puts belay-hold on the host for as long as the
// fault lives, and holds the fault over the connection with beats. Silence, or the end of the connection, ends the
// fault there. It must never call a fault ended that the other host has not said to be. Start at Fault.
package remote

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/reach/ssh"
)

// kind is the name of the one fault of this package. A playbook does not use it: it gives a fault the key `where`.
const kind = "remote"

// DefaultBeat is how often the other host hears from us. It ends the fault after three missed beats.
const DefaultBeat = time.Second

// Fault is a fault on another host.
type Fault struct {
	// Where is the host: ssh://user@host:port, with ?sudo to be root there.
	Where string `json:"where"`
	// Fault is the fault as the other host knows it.
	Fault fault.Spec `json:"fault"`
	// Netns is a network namespace there.
	Netns string `json:"netns,omitempty"`

	// kinds are what the other host's holder knows.
	kinds fault.Kinds
}

// Kinds is the fault of this package, around those that a holder on another host knows.
func Kinds(there fault.Kinds) fault.Kinds {
	return fault.Kinds{kind: func() fault.Config { return &Fault{kinds: there} }}
}

// At is the spec of a fault on another host. Without a place it is the spec itself.
func At(where string, spec fault.Spec) (fault.Spec, error) {
	if where == "" || where == "local" {
		return spec, nil
	}
	b, err := json.Marshal(Fault{Where: where, Fault: spec})
	return fault.Spec{Kind: kind, Config: b}, err
}

// CheckConfig says what is wrong, also with the fault inside.
func (f *Fault) CheckConfig() map[string]string {
	switch {
	case f.Where == "":
		return map[string]string{"where": "is missing: for example ssh://ops@app-1"}
	case !strings.HasPrefix(f.Where, ssh.Scheme):
		return map[string]string{"where": "must begin with " + ssh.Scheme}
	case f.Fault.Kind == kind:
		return map[string]string{"fault": "is on another host already"}
	}
	if _, err := ssh.Parse(f.Where); err != nil {
		return map[string]string{"where": err.Error()}
	}
	if _, err := f.kinds.Decode(f.Fault); err != nil {
		return map[string]string{"fault": err.Error()}
	}
	return nil
}

// Target is the fault on that host.
func (f *Fault) Target() fault.Target {
	host, _ := ssh.Parse(f.Where) // CheckConfig has read it
	return &target{Fault: *f, host: host}
}
