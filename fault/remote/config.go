// Package remote makes a fault on another host without an agent there: it puts belay-hold on the host for as long as the
// fault lives, and holds the fault over the connection with beats. Silence, or the end of the connection, ends the
// fault there. It must never call a fault ended that the other host has not said to be. Start at Fault.
package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/reach/ssh"
)

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
	return fault.Kinds{fault.Remote: func() fault.Config { return &Fault{kinds: there} }}
}

// Capabilities says whether other hosts can be reached from here: what can be done there, only they can say.
func Capabilities(context.Context) []fault.Capability {
	c := fault.Capability{
		Fault: "where: ssh://", Class: fault.Restore, Fidelity: fault.Host, Mechanism: "belay-hold over ssh", KernelEnds: false,
		Effect: "any fault of a host, on another one without an agent; silence ends it there", Needs: []string{"ssh"},
	}
	if c.Here, c.Why = ssh.Here(); !c.Here {
		return []fault.Capability{c}
	}
	if _, err := find("linux", "amd64"); err != nil {
		c.Here, c.Why = false, err.Error()
	}
	return []fault.Capability{c}
}

// CheckConfig says what is wrong, also with the fault inside.
func (f *Fault) CheckConfig() map[string]string {
	switch {
	case f.Where == "":
		return map[string]string{"where": "is missing: for example ssh://ops@app-1"}
	case !strings.HasPrefix(f.Where, ssh.Scheme):
		return map[string]string{"where": "must begin with " + ssh.Scheme}
	case f.Fault.Kind == fault.Remote:
		return map[string]string{"fault": "is on another host already"}
	}
	if _, err := ssh.Parse(f.Where); err != nil {
		return map[string]string{"where": err.Error()}
	}
	_, err := f.kinds.Decode(f.Fault)
	switch {
	case errors.Is(err, fault.ErrUnknown):
		return map[string]string{"fault": fmt.Sprintf("%q is not made on another host: leave where out, or take one of %s", f.Fault.Kind, strings.Join(slices.Sorted(maps.Keys(f.kinds)), ", "))}
	case err != nil:
		return map[string]string{"fault": err.Error()}
	}
	return nil
}

// Target is the fault on that host.
func (f *Fault) Target() fault.Target {
	host, _ := ssh.Parse(f.Where) // CheckConfig has read it
	return &target{Fault: *f, host: host}
}
