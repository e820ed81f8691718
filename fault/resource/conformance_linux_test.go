package resource_test

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
)

// TestConformance tries each fault with the cgroups of this machine.
func TestConformance(t *testing.T) {
	type makeRig = func(testing.TB) faulttest.Rig
	rigs := map[string]makeRig{
		"fd_exhaustion":   fdRig,
		"disk_fill/bytes": fillBytesRig,
	}
	if needRoot(t) {
		for name, rig := range map[string]makeRig{
			"cpu_limit":       cpuRig,
			"cpu_limit/alone": aloneRig,
			"memory_limit":    memoryRig,
			"disk_slow":       diskRig,
			"disk_fill":       fillRig,
			"cpu_pressure":    cpuPressureRig,
			"memory_pressure": memoryPressureRig,
		} {
			rigs[name] = rig
		}
	}
	for name, rig := range rigs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Run(t, rig)
		})
	}
}
