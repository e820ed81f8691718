package aws

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
	"github.com/belay-dr/belay/fault/hold"
)

// held holds a fault in a fresh directory.
func held(t *testing.T, s fault.Spec) (*hold.Held, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "holds")
	h, err := faulttest.Launcher(Kinds(), dir).Hold(t.Context(), hold.Request{ID: "f1", NoPlaybook: "test", Fault: s, Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return h, dir
}

// A server that is down when the fault ends: the fault is not reverted, says so, and the next sweep takes it back. The records
// hold no secret.
func TestServerDownAtTheEnd(t *testing.T) {
	t.Parallel()
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	h, dir := held(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000001"}}}))
	if tags := srv.EC2.Tags("i-00000001"); !strings.Contains(tags["belay:fault:f1"], "undo=start launched=") {
		t.Errorf("the tags are %v", tags)
	}
	srv.Down(true)
	st, err := h.Release(t.Context())
	if !errors.Is(err, fault.ErrNotReverted) || st.State != fault.Failed {
		t.Fatalf("state is %s, error %v", st.State, err)
	}
	if srv.Down(false); srv.EC2.State("i-00000001") != "stopped" {
		t.Fatal("it was started by a server that is down")
	}
	var swept fault.Status
	for end := time.Now().Add(40 * time.Second); swept.State != fault.Reverted; time.Sleep(50 * time.Millisecond) {
		if _, err := hold.Sweep(t.Context(), Kinds(), dir); err != nil {
			t.Fatal(err)
		}
		if swept, _, err = hold.Find(dir, "f1"); err != nil || time.Now().After(end) {
			t.Fatalf("never swept: %+v, %v", swept, err)
		}
	}
	if srv.EC2.State("i-00000001") != "running" || len(srv.EC2.Tags("i-00000001")) > 0 {
		t.Errorf("after the sweep it is %s, with the tags %v", srv.EC2.State("i-00000001"), srv.EC2.Tags("i-00000001"))
	}
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, name := range all {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s has the secret", name)
		}
	}
}

// What AWS refuses for a moment is asked again.
func TestThrottling(t *testing.T) {
	t.Parallel()
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	busy := awstest.Fail{Code: "RequestLimitExceeded", Message: "Request limit exceeded."}
	for _, op := range []string{"DescribeInstances", "CreateTags", "StopInstances", "StartInstances", "DeleteTags"} {
		srv.FailNext(op, busy)
	}
	srv.FailNext("GetCallerIdentity", awstest.Fail{Code: "Throttling", Message: "Rate exceeded"})
	h, _ := held(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000001"}}}))
	srv.FailNext("StartInstances", busy)
	srv.FailNext("DeleteTags", awstest.Fail{Code: "ServiceUnavailable", Message: "try later"})
	if st, err := h.Release(t.Context()); err != nil || st.State != fault.Reverted {
		t.Errorf("state is %s, %v", st.State, err)
	}
}

// Some of several were touched by people: each is judged for itself.
func TestSomeSuperseded(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	web := map[string]string{"app": "web"}
	ids := []string{"i-00000001", "i-00000002", "i-00000003", "i-00000004"}
	for _, id := range ids {
		srv.EC2.Run(awstest.Instance{ID: id, Tags: map[string]string{"app": "web"}, Group: "web-group"})
	}
	h, _ := held(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"tags": web, "max": 4}}))
	if r := strings.Join(h.Status().Radius, "; "); !strings.Contains(r, "4 of 4 running instances with app=web") || !strings.Contains(r, "Auto Scaling group web-group") {
		t.Errorf("radius is %s", r)
	}
	srv.EC2.PersonStarts(ids[0])
	srv.EC2.PersonStarts(ids[1])
	srv.EC2.PersonStops(ids[1])
	srv.EC2.Terminate(ids[2])
	st, err := h.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "i-00000001 was started again by somebody else since; i-00000002 was stopped again by somebody else since; i-00000003 was terminated by somebody else since"
	if got := strings.Join(st.Superseded, "; "); st.State != fault.Superseded || got != want {
		t.Errorf("state %s\n got %s\nwant %s", st.State, got, want)
	}
	for n, state := range []string{"running", "stopped", "terminated", "running"} {
		if got := srv.EC2.State(ids[n]); got != state {
			t.Errorf("%s is %s, want %s", ids[n], got, state)
		}
	}
}

// An experiment that FIS cannot run has no effect: it is never held.
func TestExperimentFails(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	none := template()
	none["actions"] = map[string]any{"stop": map[string]any{"actionId": "aws:ec2:stop-instances", "parameters": map[string]any{"duration": "PT2H"}}}
	srv.FIS.Template("EXT1", none)
	target, err := Kinds().Decode(spec(t, srv, "fis", map[string]any{"start": "EXT1"}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
	if err != nil || p.EndsThere || !p.Elsewhere {
		t.Errorf("two hours are no end within a minute: %+v, %v", p, err)
	}
	undo := p.Undo
	if err := target.Inject(t.Context(), undo, func(u json.RawMessage) error { undo = u; return nil }); err != nil {
		t.Fatal(err)
	}
	srv.FIS.End("EXT1", "failed", "Target resolution returned empty set")
	if seen, err := target.Confirm(t.Context(), undo); err == nil || !strings.HasSuffix(err.Error(), "is failed: Target resolution returned empty set") {
		t.Errorf("confirmed %q, %v", seen, err)
	}
}
