package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/belay-dr/belay/fault"
)

// planEnding is for a reset of what there is now. Without any connection it would have no effect.
func planEnding(u *undo, p *fault.Plan) error {
	if !canDestroy(u.Netns) {
		return fmt.Errorf("%w: leave out once", errNoDestroy)
	}
	list, err := connections(u.Netns, u.Filter)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("there is no TCP connection to %s now, so there is nothing to reset", peersOf(u.Filter))
	}
	if len(list) > maxEnding {
		return fmt.Errorf("%d TCP connections would be reset; the most is %d: name fewer peers", len(list), maxEnding)
	}
	for _, s := range list {
		u.Connections = append(u.Connections, s.id)
	}
	p.Changes = append(p.Changes, "end "+count(len(list), "TCP connection", "TCP connections")+" to "+peersOf(u.Filter))
	return nil
}

// maxEnding is how many connections one fault may reset.
const maxEnding = 1000

// ending ends connections once.
type ending struct{}

// inject ends the connections of the plan, and no others.
func (e ending) inject(u *undo, save func() error) error {
	list, err := e.alive(u)
	if err != nil {
		return err
	}
	if u.Ended, err = destroy(u.Netns, list); err == nil && u.Ended == 0 {
		err = errors.New("the TCP connections have ended by themselves since the plan: there was nothing to reset")
	}
	return errors.Join(err, save())
}

// alive are the connections of the plan that there still are.
func (ending) alive(u *undo) ([]socket, error) {
	all, err := sockets(u.Netns)
	var out []socket
	for _, s := range all {
		if slices.ContainsFunc(u.Connections, func(id []byte) bool { return bytes.Equal(id, s.id) }) {
			out = append(out, s)
		}
	}
	return out, err
}

// seen is an error while one of them is there.
func (e ending) seen(u *undo) (uint64, bool, error) {
	list, err := e.alive(u)
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("%d of %d TCP connections are still there", len(list), len(u.Connections))
	}
	return 0, false, err
}

func (ending) revert(context.Context, *undo) (fault.Outcome, error) { return fault.Outcome{}, nil }

func (ending) residue(context.Context, *undo) ([]string, error) { return nil, nil }
