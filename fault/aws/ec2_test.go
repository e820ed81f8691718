package aws

import (
	"testing"

	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

func TestStopConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		id := "i-" + next()
		srv.EC2.Run(awstest.Instance{ID: id})
		return faulttest.Rig{
			Kinds:  Kinds(),
			Spec:   spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{id}}}),
			Broken: func() bool { return srv.EC2.State(id) != "running" },
			Change: func() { srv.EC2.PersonStarts(id) },
			Intact: func() bool { return srv.EC2.State(id) == "running" && len(srv.EC2.Tags(id)) == 0 },
			Remove: func() { srv.EC2.Terminate(id) },
		}
	})
}

func TestTerminateConformance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	next := counter()
	faulttest.Run(t, func(t testing.TB) faulttest.Rig {
		id := "i-" + next()
		srv.EC2.Run(awstest.Instance{ID: id})
		return faulttest.Rig{
			Kinds:   Kinds(),
			Spec:    spec(t, srv, "ec2", map[string]any{"terminate": map[string]any{"instances": []string{id}, "for_good": true}}),
			Broken:  func() bool { return srv.EC2.State(id) != "running" },
			Remove:  func() { srv.EC2.Terminate(id) },
			OneShot: true,
		}
	})
}
