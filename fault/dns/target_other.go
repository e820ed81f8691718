//go:build !linux

package dns

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/belay-dr/belay/fault"
)

// errNone says that this system has no way to redirect questions.
var errNone = errors.New("faults of DNS are only on Linux")

type target struct{}

func newTarget(DNS) fault.Target { return target{} }

func (target) Plan(context.Context, fault.Ask) (fault.Plan, error) { return fault.Plan{}, errNone }

func (target) Inject(context.Context, json.RawMessage, fault.Save) error { return errNone }

func (target) Confirm(context.Context, json.RawMessage) (string, error) { return "", errNone }

func (target) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, errNone
}

func (target) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, errNone }

// privileged says whether this process may redirect.
func privileged() bool { return false }

func able() error { return errNone }

var errRights = errNone
