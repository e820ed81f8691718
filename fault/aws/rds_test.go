package aws

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
)

func TestRebootDatabaseConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		id := "db-" + next()
		srv.RDS.Instance(id, true)
		return faulttest.Rig{
			Kinds:   Kinds(),
			Spec:    spec(t, srv, "rds", map[string]any{"reboot": map[string]any{"instance": id, "failover": true}}),
			Broken:  func() bool { return srv.RDS.Boots(id) > 0 },
			Remove:  func() { srv.RDS.Delete(id) },
			OneShot: true,
		}
	})
}
