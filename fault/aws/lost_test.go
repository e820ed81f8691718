package aws

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

func faultAsk(id string) fault.Ask { return fault.Ask{ID: id, Limit: time.Minute} }

// A call whose answer is lost was carried out. What must not happen twice is not asked for twice, and is seen all the same.
func TestLostAnswers(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.RDS.Instance("single", false)
	srv.RDS.Cluster("orders", "one", "two", "three")
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	type m = map[string]any
	for _, c := range []struct {
		op, service string
		config      m
		seen        string
	}{
		{"RebootDBInstance", "rds", m{"reboot": m{"instance": "single"}}, "RDS instance single is rebooting"},
		{"FailoverDBCluster", "rds", m{"reboot": m{"cluster": "orders"}}, "RDS cluster orders has the writer two instead of one"},
	} {
		srv.LoseNext(c.op)
		h, _ := held(t, spec(t, srv, c.service, c.config))
		if got := h.Status().Confirmed; got != c.seen {
			t.Errorf("%s: seen %q, want %q", c.op, got, c.seen)
		}
		if st, err := h.Release(t.Context()); err != nil || st.State != fault.Ended {
			t.Errorf("%s: state %s, %v", c.op, st.State, err)
		}
		if n := len(srv.Calls(c.op)); n != 1 {
			t.Errorf("%s was asked for %d times", c.op, n)
		}
	}
	if srv.RDS.Boots("single") != 1 || srv.RDS.Writer("orders") != "two" {
		t.Errorf("%d boots, the writer is %s", srv.RDS.Boots("single"), srv.RDS.Writer("orders"))
	}
	// What can be repeated is repeated.
	for _, op := range []string{"CreateTags", "StopInstances"} {
		srv.LoseNext(op)
	}
	h, _ := held(t, spec(t, srv, "ec2", m{"stop": m{"instances": []string{"i-00000001"}}}))
	for _, op := range []string{"StartInstances", "DeleteTags"} {
		srv.LoseNext(op)
	}
	if st, err := h.Release(t.Context()); err != nil || st.State != fault.Reverted || srv.EC2.State("i-00000001") != "running" {
		t.Errorf("state %s, %v: it is %s", st.State, err, srv.EC2.State("i-00000001"))
	}
}

// Changes of Route 53 whose answers are lost look like those of somebody else when they are asked for again. They are ours.
func TestLostChanges(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.Route53.Zone("Z1", "example.com.", false, a("www.example.com.", "192.0.2.1"))
	srv.Route53.Check("abc")
	type m = map[string]any
	for op, config := range map[string]m{
		"ChangeResourceRecordSets": {"record": m{"zone": "Z1", "name": "www.example.com", "type": "A", "values": []string{"192.0.2.99"}}},
		"UpdateHealthCheck":        {"health_check": m{"invert": "abc"}},
	} {
		target, err := Kinds().Decode(spec(t, srv, "route53", config))
		if err != nil {
			t.Fatal(err)
		}
		p, err := target.Plan(t.Context(), faultAsk("f1"))
		if err != nil {
			t.Fatal(err)
		}
		undo := p.Undo
		save := func(u json.RawMessage) error { undo = u; return nil }
		srv.LoseNext(op)
		if err := target.Inject(t.Context(), undo, save); err == nil {
			t.Errorf("%s: it was injected without an answer", op)
		}
		out, err := target.Revert(t.Context(), undo, save)
		if err != nil || len(out.Superseded) > 0 {
			t.Errorf("%s: revert: %v, %v", op, out, err)
		}
		if left, err := target.Residue(t.Context(), undo); err != nil || len(left) > 0 {
			t.Errorf("%s: residue %v, %v", op, left, err)
		}
	}
	if srv.Route53.Answer("Z1", "www.example.com.") != "192.0.2.1" || srv.Route53.Is("abc", "Inverted") || len(srv.Route53.Tags("Z1"))+len(srv.Route53.Tags("abc")) > 0 {
		t.Error("not all is as it was")
	}
}

// A reboot whose answer is lost is asked for once, and counts as soon as its address stops answering.
func TestLostReboot(t *testing.T) {
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
	target, err := Kinds().Decode(spec(t, srv, "ec2", map[string]any{"reboot": map[string]any{"instances": []string{"i-00000001"}, "watch": []string{at}}}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), faultAsk("f1"))
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	go func() {
		for len(srv.Calls("RebootInstances")) < 2 {
			time.Sleep(2 * time.Millisecond)
		}
		host.Close()
	}()
	srv.LoseNext("RebootInstances")
	if err := target.Inject(t.Context(), undo, save); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.Calls("RebootInstances")); n != 2 { // the dry run and the reboot
		t.Errorf("it was asked for %d times", n)
	}
	if seen, err := target.Confirm(t.Context(), undo); err != nil || !strings.HasPrefix(seen, at+" stopped answering at ") {
		t.Errorf("confirmed by %q, %v", seen, err)
	}
}

// A reboot that AWS refuses did not happen, whatever was about to be asked.
func TestRefusedReboot(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	target, err := Kinds().Decode(spec(t, srv, "ec2", map[string]any{"reboot": map[string]any{"instances": []string{"i-00000001"}, "watch": []string{host.Addr().String()}}}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), faultAsk("f1"))
	if err != nil {
		t.Fatal(err)
	}
	undo := p.Undo
	save := func(u json.RawMessage) error { undo = u; return nil }
	srv.FailNext("RebootInstances", awstest.Fail{Code: "UnauthorizedOperation", Message: "no"})
	if err := target.Inject(t.Context(), undo, save); err == nil {
		t.Error("it was injected")
	}
	if seen, err := target.Confirm(t.Context(), undo); err == nil {
		t.Errorf("confirmed by %q", seen)
	}
}
