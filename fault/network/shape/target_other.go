//go:build !linux

package shape

import (
	"context"
	"errors"

	"github.com/belay-dr/belay/fault"
)

// errLinux says where lines can be made bad.
var errLinux = errors.New("delay, loss and the like are made in the kernel of Linux only: run it there, or put a proxy between")

func choose(context.Context, Engine, string, *undo, *fault.Plan) error { return errLinux }

func mechanismOf(Engine) (mechanism, error) { return nil, errLinux }

// Able says what this host can do.
func Able() Ability { return Ability{NoNetem: errLinux.Error(), NoQueue: errLinux.Error()} }
