//go:build !linux

package file

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/belay-dr/belay/fault"
)

// errNotHere says that the fault is only on Linux.
var errNotHere = errors.New("a directory can be made slow or faulty only on Linux")

// over is only on Linux.
type over struct {
	path    string
	despite bool
	effect  effect
}

type served struct{}

func (o *over) Plan(context.Context, fault.Ask) (fault.Plan, error) { return fault.Plan{}, errNotHere }

func (o *over) Inject(context.Context, json.RawMessage, fault.Save) error { return errNotHere }

func (o *over) Confirm(context.Context, json.RawMessage) (string, error) { return "", errNotHere }

func (o *over) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, errNotHere
}

func (o *over) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, errNotHere }

func mountable() error { return errNotHere }

// Workers are the helper processes of this package: none here.
func Workers() fault.Workers { return nil }
