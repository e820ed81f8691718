//go:build !linux || !amd64

package clock

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/process"
)

// target refuses: there is no way here.
type target struct {
	victim process.Victim
	shift  time.Duration
}

var errHere = errors.New("the clock of a process can be shifted only on Linux on amd64")

func (t *target) Plan(context.Context, fault.Ask) (fault.Plan, error) { return fault.Plan{}, errHere }

func (t *target) Inject(context.Context, json.RawMessage, fault.Save) error { return errHere }

func (t *target) Confirm(context.Context, json.RawMessage) (string, error) { return "", errHere }

func (t *target) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, errHere
}

func (t *target) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, errHere }

func here() error { return errHere }
