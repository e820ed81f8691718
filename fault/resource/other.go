//go:build !linux

package resource

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/belay-dr/belay/fault"
)

// errOnly says where these faults can be made.
var errOnly = errors.New("faults of resources are only on Linux: hold it there, with where: ssh://…")

// Workers are the helper processes of these faults.
func Workers() fault.Workers { return nil }

// elsewhere refuses.
type elsewhere struct{}

func (c *CPULimit) target() fault.Target       { return elsewhere{} }
func (m *MemoryLimit) target() fault.Target    { return elsewhere{} }
func (d *DiskSlow) target() fault.Target       { return elsewhere{} }
func (p *CPUPressure) target() fault.Target    { return elsewhere{} }
func (p *MemoryPressure) target() fault.Target { return elsewhere{} }
func (f *FDExhaustion) target() fault.Target   { return elsewhere{} }
func (d *DiskFill) target() fault.Target       { return elsewhere{} }

func (elsewhere) Plan(context.Context, fault.Ask) (fault.Plan, error) { return fault.Plan{}, errOnly }

func (elsewhere) Inject(context.Context, json.RawMessage, fault.Save) error { return errOnly }

func (elsewhere) Confirm(context.Context, json.RawMessage) (string, error) { return "", errOnly }

func (elsewhere) Revert(context.Context, json.RawMessage, fault.Save) (fault.Outcome, error) {
	return fault.Outcome{}, errOnly
}

func (elsewhere) Residue(context.Context, json.RawMessage) ([]string, error) { return nil, errOnly }

func here(string) (string, error) { return "", errOnly }
