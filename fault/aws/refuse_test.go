package aws

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/belay-dr/belay/fault"
	"github.com/belay-dr/belay/fault/faulttest"
	"github.com/belay-dr/belay/fault/faulttest/awstest"
)

// A config that is wrong is refused with its key, before anything is asked.
func TestConfigs(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{"region":"us-west-2","fis":{"start":"EXT1"}}`, "fault aws: account: must be the account's twelve digits, in quotes"},
		{`{"account":"111122223333","fis":{"start":"EXT1"}}`, "fault aws: region: is missing"},
		{`{"account":"111122223333","region":"r","endpoint":"http://u:p@h/","fis":{"start":"EXT1"}}`, "fault aws: endpoint: must hold no user, password or query"},
		{`{"account":"111122223333","region":"r"}`, "fault aws: give exactly one of ec2, rds, fis, s3 and route53"},
		{`{"account":"111122223333","region":"r","fis":{"start":"x"}}`, "fault aws: fis.start: must be the ID of an experiment template, such as EXT0123456789"},
		{`{"account":"111122223333","region":"r","ec2":{}}`, "fault aws: ec2: give exactly one of stop, reboot and terminate"},
		{`{"account":"111122223333","region":"r","ec2":{"stop":{}}}`, "fault aws: ec2.stop: give exactly one of instances and tags"},
		{`{"account":"111122223333","region":"r","ec2":{"stop":{"instances":["web"]}}}`, `fault aws: ec2.stop.instances: "web" is no instance ID`},
		{`{"account":"111122223333","region":"r","ec2":{"terminate":{"instances":["i-12345678"]}}}`, "fault aws: ec2.terminate.for_good: must be true: nothing brings a terminated instance back"},
		{`{"account":"111122223333","region":"r","ec2":{"reboot":{"instances":["i-12345678"]}}}`, "fault aws: ec2.reboot.watch: is missing: a reboot does not show in the API, so say which host:port stops answering"},
		{`{"account":"111122223333","region":"r","ec2":{"stop":{"tags":{"a":"b"},"percent":101}}}`, "fault aws: ec2.stop.percent: must be from 1 to 100"},
		{`{"account":"111122223333","region":"r","rds":{"reboot":{"cluster":"c","failover":true}}}`, "fault aws: rds.reboot.failover: goes with instance: a cluster always fails over"},
		{`{"account":"111122223333","region":"r","s3":{"deny":{"bucket":"b*"}}}`, "fault aws: s3.deny.bucket: must be the name of a bucket"},
		{`{"account":"111122223333","region":"r","s3":{"deny":{"bucket":"abc","prefix":"*"}}}`, "fault aws: s3.deny.prefix: must not contain * ? $ { or }: they mean something in a policy"},
		{`{"account":"111122223333","region":"r","s3":{"deny":{"bucket":"abc","principals":["*"]}}}`, `fault aws: s3.deny.principals: "*" is no ARN of a user or role`},
		{`{"account":"111122223333","route53":{"record":{"zone":"Z1","name":"a","type":"NS","values":["x"]}}}`, "fault aws: route53.record.type: NS and SOA hold the zone itself: they are never changed"},
		{`{"account":"111122223333","route53":{"record":{"zone":"Z1","name":"a","type":"A","weight":3}}}`, "fault aws: route53.record.id: is missing: a weighted record has a set identifier"},
		{`{"account":"111122223333","route53":{"health_check":{}}}`, "fault aws: route53.health_check: give exactly one of disable and invert"},
		{`{"account":"111122223333","region":"r","fis":{"start":"EXT1"},"no":1}`, `fault aws: unknown field "no"`},
	} {
		_, err := Kinds().Decode(fault.Spec{Kind: "aws", Config: json.RawMessage(c.config)})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.config, err, c.want)
		}
	}
}

// plan plans a fault of the simulated region, changed by f.
func plan(t *testing.T, s fault.Spec) (fault.Plan, error) {
	t.Helper()
	target, err := Kinds().Decode(s)
	if err != nil {
		t.Fatal(err)
	}
	return target.Plan(t.Context(), fault.Ask{ID: "f1", Limit: time.Minute})
}

func TestRefusals(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	web := map[string]string{"app": "web"}
	srv.EC2.Run(
		awstest.Instance{ID: "i-00000001", Tags: web}, awstest.Instance{ID: "i-00000002", Tags: web}, awstest.Instance{ID: "i-00000003", Tags: web},
		awstest.Instance{ID: "i-00000004", Device: "instance-store"}, awstest.Instance{ID: "i-00000005"},
	)
	srv.EC2.PersonStops("i-00000005")
	srv.RDS.Instance("single", false)
	srv.RDS.Cluster("lonely", "only")
	srv.Route53.Zone("Z1", "example.com.", false, a("www.example.com.", "192.0.2.1"))
	srv.Route53.Check("abc")
	srv.Route53.PersonSets("abc", "Inverted", true)
	type m = map[string]any
	for _, c := range []struct {
		service string
		config  m
		want    string
	}{
		{"ec2", m{"stop": m{"tags": m{"app": "none"}}}, "no running instance in us-west-2 has the tags app=none"},
		{"ec2", m{"stop": m{"tags": web}}, "3 instances would be hit and max is 1: raise max if all are meant, or give percent"},
		{"ec2", m{"stop": m{"instances": []string{"i-00000009"}}}, "look for instances: InvalidInstanceID.NotFound: The instance ID 'i-00000009' does not exist"},
		{"ec2", m{"stop": m{"instances": []string{"i-00000004"}}}, "i-00000004 has no EBS root, so that it cannot be stopped, only terminated"},
		{"ec2", m{"stop": m{"instances": []string{"i-00000005"}}}, "i-00000005 is stopped, not running"},
		{"ec2", m{"reboot": m{"instances": []string{"i-00000001"}, "watch": []string{"127.0.0.1:1"}}}, "127.0.0.1:1 does not answer: a reboot could not be seen by it"},
		{"rds", m{"reboot": m{"instance": "none"}}, "look at RDS instance none: DBInstanceNotFound: DBInstance none not found."},
		{"rds", m{"reboot": m{"instance": "single", "failover": true}}, "RDS instance single is not Multi-AZ: it has nowhere to fail over to"},
		{"rds", m{"reboot": m{"cluster": "lonely"}}, "RDS cluster lonely has 1 members: it has nowhere to fail over to"},
		{"fis", m{"start": "EXTnone"}, "look at template EXTnone: ResourceNotFoundException: Experiment template EXTnone was not found"},
		{"route53", m{"record": m{"zone": "Z9", "name": "x", "type": "A", "values": []string{"x"}}}, "look at zone Z9: NoSuchHostedZone: No hosted zone found with ID: Z9"},
		{"route53", m{"record": m{"zone": "Z1", "name": "no.example.com", "type": "A", "values": []string{"x"}}}, "zone Z1 has no single record no.example.com A: one of several has an id"},
		{"route53", m{"record": m{"zone": "Z1", "name": "www.example.com", "type": "A", "values": []string{"192.0.2.1"}}}, "record www.example.com A is 192.0.2.1 already: that would have no effect"},
		{"route53", m{"health_check": m{"invert": "abc"}}, "health check abc is inverted already: that would have no effect"},
		{"route53", m{"health_check": m{"invert": "def"}}, "there is no health check def"},
	} {
		if _, err := plan(t, spec(t, srv, c.service, c.config)); err == nil || err.Error() != c.want {
			t.Errorf("%v\n got %v\nwant %s", c.config, err, c.want)
		}
	}
	for _, op := range []string{"CreateTags", "ChangeTagsForResource", "AddTagsToResource", "RebootDBInstance", "StartExperiment", "ChangeResourceRecordSets"} {
		for _, call := range srv.Calls(op) {
			if call.Input["DryRun"] != true {
				t.Errorf("a refused plan called %s", op)
			}
		}
	}
}

// The account is asked for each time, also before a revert: what is not found elsewhere is not gone.
func TestWrongAccount(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	s := spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000001"}}})
	p, err := plan(t, s)
	if err != nil {
		t.Fatal(err)
	}
	srv.As(awstest.KeyID, awstest.Caller{Account: "999999999999", ARN: "arn:aws:iam::999999999999:user/x"})
	const want = "the credentials are for account 999999999999, and the playbook says 111122223333: choose the other ones with profile or AWS_PROFILE"
	target, _ := Kinds().Decode(s)
	_, planned := target.Plan(t.Context(), fault.Ask{ID: "f1"})
	_, reverted := target.Revert(t.Context(), p.Undo, func(json.RawMessage) error { return nil })
	_, left := target.Residue(t.Context(), p.Undo)
	for _, err := range []error{planned, reverted, left} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

func TestOwnInstance(t *testing.T) {
	srv, ok := simulated(t)
	if !ok {
		return
	}
	srv.EC2.Run(awstest.Instance{ID: "i-00000001"})
	srv.As(awstest.KeyID, awstest.Caller{Account: awstest.Account, ARN: "arn:aws:sts::111122223333:assumed-role/web/i-00000001"})
	_, err := plan(t, spec(t, srv, "ec2", map[string]any{"stop": map[string]any{"instances": []string{"i-00000001"}}}))
	if err == nil || err.Error() != "i-00000001 is the instance that this runs on" {
		t.Errorf("got %v", err)
	}
}

// Nobody there, nobody answering, and no credentials: each is said within seconds.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for at, want := range map[string]string{
		"http://" + closed.Addr().String(): "http://" + closed.Addr().String() + " does not answer: dial tcp " + closed.Addr().String() + ": connect: connection refused: look at region, endpoint and the network",
		"http://" + silent.Addr().String(): "does not answer",
	} {
		s := faulttest.Spec(t, map[string]any{"aws": map[string]any{
			"account": awstest.Account, "region": awstest.Region, "endpoint": at, "fis": map[string]any{"start": "EXT1"},
		}})
		began := time.Now()
		_, err := plan(t, s)
		if took := time.Since(began); took > reachBound+2*time.Second {
			t.Errorf("%s: it took %s", at, took)
		}
		if err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "AWS did not answer in time") {
			t.Errorf("%s: got %v", at, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error has the secret: %v", err)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	s := faulttest.Spec(t, map[string]any{"aws": map[string]any{
		"account": awstest.Account, "region": awstest.Region, "endpoint": "http://127.0.0.1:1", "fis": map[string]any{"start": "EXT1"},
	}})
	if _, err := plan(t, s); err == nil || err.Error() != errNoCredentials.Error() {
		t.Errorf("got %v", err)
	}
	for _, c := range Capabilities(t.Context()) {
		if c.Here || c.Why != errNoCredentials.Error()+". Whether an instance has a role was not looked at: a plan does" {
			t.Errorf("%s: here %v: %s", c.Fault, c.Here, c.Why)
		}
	}
}
