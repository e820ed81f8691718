package hold

import (
	"testing"

	"github.com/belay-dr/belay/fault"
)

// A fault that had ended before its release says so, and any other cause is the better answer.
func TestLostBeforeRelease(t *testing.T) {
	for cause, want := range map[string]string{causeReleased: causeLost, causeHalt: causeHalt, causeLimit: causeLimit} {
		k := newKeeper(nil, t.TempDir())
		r := &Record{Format: format, Status: fault.Status{ID: "f-1", Class: fault.Restore, Cause: cause}}
		k.conclude(r, fault.Outcome{Lost: true}, nil, true)
		if r.Status.Cause != want || r.Status.State != fault.Reverted {
			t.Errorf("%s: %+v, want cause %s", cause, r.Status, want)
		}
	}
}
