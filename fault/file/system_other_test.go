//go:build !linux

package file_test

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
)

// systemRigs are those that only this system has: none.
func systemRigs() map[string]func(testing.TB) faulttest.Rig { return nil }
