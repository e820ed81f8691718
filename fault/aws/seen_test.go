package aws

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// Each fault that Conformance does not hold is held once, and says what was seen.
func TestWhatIsSeen(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.RDS.Cluster("orders", "one", "two")
	srv.RDS.Instance("single", false)
	srv.Route53.Zone("Z1", "example.com.", false, weighted("www.example.com.", "blue", 100), weighted("www.example.com.", "green", 0))
	srv.Route53.Check("abc")
	type m = map[string]any
	for _, c := range []struct {
		service string
		config  m
		seen    string
		state   fault.State
		during  func() bool
		after   func() bool
	}{
		{
			"rds",
			m{"reboot": m{"cluster": "orders"}},
			"RDS cluster orders has the writer two instead of one", fault.Ended,
			func() bool { return srv.RDS.Writer("orders") == "two" }, func() bool { return srv.RDS.Writer("orders") == "two" },
		},
		{
			"rds",
			m{"reboot": m{"instance": "single"}},
			"RDS instance single is rebooting", fault.Ended,
			func() bool { return srv.RDS.Boots("single") == 1 }, func() bool { return srv.RDS.Boots("single") == 1 },
		},
		{
			"route53",
			m{"record": m{"zone": "Z1", "name": "www.example.com", "type": "A", "id": "blue", "weight": 0}},
			"record www.example.com A is weight=0 192.0.2.1, in sync on all name servers of Route 53", fault.Reverted,
			func() bool { return srv.Route53.Weight("Z1", "blue") == 0 }, func() bool { return srv.Route53.Weight("Z1", "blue") == 100 },
		},
		{
			"route53",
			m{"health_check": m{"disable": "abc"}},
			"health check abc is disabled since its version 2", fault.Reverted,
			func() bool { return srv.Route53.Is("abc", "Disabled") }, func() bool { return !srv.Route53.Is("abc", "Disabled") },
		},
	} {
		h, _ := held(t, spec(t, srv, c.service, c.config))
		if got := h.Status().Confirmed; got != c.seen || !c.during() {
			t.Errorf("%v: %v, seen %q, want %q", c.config, c.during(), got, c.seen)
		}
		if st, err := h.Release(t.Context()); err != nil || st.State != c.state || !c.after() {
			t.Errorf("%v: state %s, %v, after %v", c.config, st.State, err, c.after())
		}
	}
}

// A reboot is seen by an address that stops answering, and is not held before.
func TestRebootIsSeen(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := host.Addr().String()
	down := make(chan time.Time, 1)
	go func() {
		for len(srv.Calls("RebootInstances")) < 2 { // the first is the dry run of the plan
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond) // an operating system takes its time to go down
		down <- time.Now()
		host.Close()
	}()
	h, _ := held(t, spec(t, srv, "ec2", map[string]any{"reboot": map[string]any{"instances": []string{"i-00000001"}, "watch": []string{at}}}))
	if time.Now().Before(<-down) {
		t.Error("it was held before the host went down")
	}
	if got := h.Status().Confirmed; !strings.HasPrefix(got, at+" stopped answering at ") {
		t.Errorf("confirmed by %q", got)
	}
	if st, err := h.Release(t.Context()); err != nil || st.State != fault.Ended {
		t.Errorf("state is %s, %v", st.State, err)
	}
}
