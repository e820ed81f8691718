//go:build !linux

package network

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/network/shape"
)

// errLinux refuses everything on other systems.
var errLinux = errors.New("faults of the network can be made only on Linux: take the proxy fault, or give where: ssh://user@host")

// capable says that nothing can be made here.
func capable(_ context.Context, all []fault.Capability) {
	for i := range all {
		all[i].Why = errLinux.Error()
	}
}

func (n *Network) cutting(string, action) fault.Target { return nowhere{} }

func (n *Network) shaped(action, shape.Spec) fault.Target { return nowhere{} }

// nowhere is the target that refuses.
type nowhere struct{}

func (nowhere) Plan(context.Context, fault.Ask) (fault.Plan, error) { return fault.Plan{}, errLinux }

func (nowhere) Inject(context.Context, json.RawMessage, fault.Save) error { return errLinux }

func (nowhere) Confirm(context.Context, json.RawMessage) (string, error) { return "", errLinux }

func (nowhere) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, nil
}

func (nowhere) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, nil }
